// What a sandbox leaves behind when it is over: nothing that lends somebody the privileges of who started it, and the
// terminal as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sandbox/sandboxed.h"

namespace guise::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class LeftoversTest : public SandboxTest {
 protected:
  RunResult Leave(const std::vector<std::string>& options) {
    const std::string guest = Stage::Get().Guest("tests/sandbox/leftovers_static.elf");
    const std::string writable = Stage::Get().MakeDirectory(GetParam(), "leftovers");
    std::vector<std::string> all = {"--ro", DirectoryOf(guest), "--rw", writable};
    all.insert(all.end(), options.begin(), options.end());
    RunResult result = Run(all, {guest, writable});
    EXPECT_EQ(result.exit_code, 0) << result;
    RemoveTree(writable);
    return result;
  }
};

INSTANTIATE_TEST_SUITE_P(All, LeftoversTest, testing::ValuesIn(Accounts()),
                         [](const testing::TestParamInfo<Account>& info) { return info.param.name; });

TEST_P(LeftoversTest, NoProgramOfRootsIsLentToOthers) {
  const std::string guest = Stage::Get().Guest("tests/sandbox/leftovers_static.elf");
  const RunResult native = RunToEnd(guise_->In(NativeWay(), {guest, directory_}));
  for (const char* name : {"chmod\n", "fchmodat2\n", "openat2\n", "tmpfile\n", "mknod\n"}) {
    EXPECT_THAT(native.out, HasSubstr(name)) << "this kernel makes such files";
  }
  for (const std::vector<std::string>& options : {std::vector<std::string>{}, {"--no-shim"}}) {
    const std::string left = Leave(options).out;
    if (GetParam().uid == 0) {
      EXPECT_EQ(left, "");
    } else {
      // They lend no more than the user has; THREAT_MODEL.md.
      EXPECT_THAT(left, HasSubstr("chmod\n"));
    }
  }
}

TEST_P(LeftoversTest, ATerminalStaysEverybodys) {
  for (const std::vector<std::string>& options : {std::vector<std::string>{}, {"--no-shim"}}) {
    EXPECT_THAT(Leave(options).out,
                AllOf(Not(HasSubstr("discipline")), Not(HasSubstr("exclusive")), Not(HasSubstr("off"))));
  }
}

}  // namespace
}  // namespace guise::tests
