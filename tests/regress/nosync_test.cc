// Programs under `nosync` are told what Linux tells them, but do not wait.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

constexpr char kScript[] =
    "import errno, mmap, os\n"
    "f = os.open('file', os.O_RDWR | os.O_CREAT)\n"
    "os.write(f, b'x' * 4096)\n"
    "os.fsync(f); os.fdatasync(f); os.sync()\n"
    "d = os.open('.', os.O_RDONLY | os.O_DIRECTORY); os.fsync(d)\n"
    "m = mmap.mmap(f, 4096); m[0:1] = b'y'; m.flush()\n"
    "for call in (os.fsync, os.fdatasync):\n"
    "  try: call(999)\n"
    "  except OSError as error: print(errno.errorcode[error.errno])\n"
    "print(os.pread(f, 2, 0).decode())\n";

TEST(NosyncTest, AnswersAsLinuxDoes) {
  GUISE_NEEDS_TREE();
  for (const Account& account : Accounts()) {
    Guise& guise = Guise::Shared(account);
    for (const char* stack : {"linux", "nosync", "fakeroot,nosync"}) {
      const std::string directory = Stage::Get().MakeDirectory(account, "nosync");
      Command command = guise.Cli({"run", "--personality", stack, "--", "python3", "-c", kScript});
      command.cwd = directory;
      const RunResult result = RunToEnd(command);
      EXPECT_EQ(result.out, "EBADF\nEBADF\nyx\n") << stack << ": " << result;
      EXPECT_EQ(result.err, "");
      RemoveTree(directory);
    }
  }
}

TEST(NosyncTest, ItsCallsDoNotReachTheDisk) {
  GUISE_NEEDS_TREE();
  Guise& guise = Guise::Shared(OrdinaryUser());
  // strace sees what reaches the kernel.
  const RunResult result =
      RunToEnd(guise.Cli({"run", "--personality", "nosync", "--", "strace", "-f", "-qq", "-e",
                          "trace=fsync,fdatasync,sync,syncfs", "-e", "signal=none", "python3", "-c",
                          "import os; f = os.open('.', os.O_RDONLY); os.fsync(f); os.sync(); print('done')"}));
  EXPECT_EQ(result.out, "done\n") << result;
  EXPECT_THAT(result.err, testing::Not(testing::HasSubstr("sync(")));
}

}  // namespace
}  // namespace guise::tests
