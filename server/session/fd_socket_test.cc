// The fd socket gives what it promises, and refuses whom it should.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "server/session/testing/child.h"
#include "server/session/testing/personalities.h"
#include "server/session/testing/served_test.h"

namespace guise::server {
namespace {

using testing::Attached;
using testing::Child;
using testing::GuestMemory;
using testing::Served;
using testing::ServedTest;
using testing::TestProcess;

class FdSocketTest : public ServedTest {};

TEST_P(FdSocketTest, GivesWhatItPromises) {
  Served::Kept kept = served_.Keep({"alpha"});
  EXPECT_EQ(kept.keeper.reply.pid, getpid());
  EXPECT_EQ(kept.keeper.reply.session, kept.info.number);
  ASSERT_EQ(kept.keeper.fds.size(), 5u);
  const auto fd = [&](wire::FdIndex index) { return kept.keeper.fds[index].get(); };
  const auto writable = [](int file) {
    void* data = mmap(nullptr, wire::kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (data != MAP_FAILED) munmap(data, wire::kPageSize);
    return data != MAP_FAILED;
  };
  EXPECT_TRUE(writable(fd(wire::kFdRequest)));
  EXPECT_FALSE(writable(fd(wire::kFdReply)));
  EXPECT_TRUE(writable(fd(wire::kFdReplyKeeper)));
  EXPECT_TRUE(writable(fd(wire::kFdStore)));
  for (const wire::FdIndex index : {wire::kFdRequest, wire::kFdReply, wire::kFdStore}) {
    EXPECT_EQ(fcntl(fd(index), F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  }
  EXPECT_EQ(kept.memory->Group(0).root.header.magic, wire::kRequestMagic);
  EXPECT_EQ(kept.memory->Group(0).root.header.session, kept.info.number);
  EXPECT_EQ(kept.memory->Reply(0).header.magic, wire::kReplyMagic);
}

TEST_P(FdSocketTest, RefusesWhatIsWrong) {
  Served::Kept kept = served_.Keep({"alpha"});
  const uint32_t number = kept.info.number;
  EXPECT_EQ(served_.Attach(wire::FdOp::kAttach, number).reply.error, -EBUSY);
  EXPECT_EQ(served_.Attach(wire::FdOp::kAttach, number + 1).reply.error, -ESRCH);
  EXPECT_EQ(served_.Attach(static_cast<wire::FdOp>(9), number).reply.error, -EINVAL);
  EXPECT_EQ(served_.Ask("x", 1).reply.error, -EINVAL);
  const std::string long_message(5000, 'x');
  EXPECT_EQ(served_.Ask(long_message.data(), long_message.size()).reply.error, -EINVAL);
  wire::FdMessage newer = {};
  newer.magic = wire::kFdSocketMagic;
  newer.version = 99;
  newer.op = wire::FdOp::kAttach;
  newer.session = number;
  EXPECT_EQ(served_.Ask(&newer, sizeof(newer)).reply.error, -EPROTONOSUPPORT);
  const Attached refused = served_.Attach(wire::FdOp::kAttach, number);
  EXPECT_TRUE(refused.fds.empty());
  // The keeper is still the keeper.
  EXPECT_EQ(sessions().Get(kept.info.id)->state, SessionState::kRunning);
}

TEST_P(FdSocketTest, RefusesGuestsAndTheirChildren) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  const uint32_t number = kept.info.number;
  const auto refused = [&] { return served_.Attach(wire::FdOp::kGuest, number).reply.error == -EPERM; };
  Child child([&] {
    TestProcess process(memory);
    if (!refused()) _exit(1);
    // A child that the shim does not see.
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(refused() ? 0 : 1);
    int status = 0;
    if (waitpid(grandchild, &status, 0) != grandchild || status != 0) _exit(2);
  });
  child.AwaitReady();
  EXPECT_TRUE(sessions().IsGuest(child.pid()));
  EXPECT_FALSE(sessions().IsGuest(getpid()));
  EXPECT_FALSE(sessions().IsGuest(1));
}

TEST_P(FdSocketTest, RefusesWhoHasGone) {
  Served::Kept kept = served_.Keep({"alpha"});
  // Nobody can say where it was.
  const Attached refused = served_.Attach(wire::FdOp::kGuest, kept.info.number, Served::Connecter::kGone);
  EXPECT_EQ(refused.reply.error, -EPERM);
  EXPECT_TRUE(refused.fds.empty());
  EXPECT_EQ(served_.Attach(wire::FdOp::kGuest, kept.info.number).reply.error, 0);
}

INSTANTIATE_BOTH_WAYS(FdSocketTest);

}  // namespace
}  // namespace guise::server
