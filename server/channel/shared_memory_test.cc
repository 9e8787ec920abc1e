#include "server/channel/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <utility>

namespace guise::server {
namespace {

class ReplyHeldTest : public ::testing::Test {
 protected:
  std::unique_ptr<SessionMemories> memories_ = *SessionMemories::Create(1, wire::kReplySizeDefault);
};

TEST_F(ReplyHeldTest, ByNobodyWhileTheServerAloneHasIt) {
  EXPECT_FALSE(memories_->IsHeldByGuests());
  const OwnedFd kept = memories_->OpenReplyForGuests();
  ASSERT_TRUE(kept);
  EXPECT_TRUE(memories_->IsHeldByGuests());
}

TEST_F(ReplyHeldTest, ByAMappingWithoutAnFd) {
  OwnedFd fd = memories_->OpenReplyForGuests();
  void* const mapped = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  fd = OwnedFd();
  EXPECT_TRUE(memories_->IsHeldByGuests());
  munmap(mapped, 4096);
  EXPECT_FALSE(memories_->IsHeldByGuests());
}

TEST_F(ReplyHeldTest, ByAnotherProcess) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  OwnedFd fd = memories_->OpenReplyForGuests();
  const pid_t child = fork();
  if (child == 0) {
    close(ends[1]);
    char byte;
    _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  fd = OwnedFd();
  EXPECT_TRUE(memories_->IsHeldByGuests());
  close(ends[1]);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(memories_->IsHeldByGuests());
  close(ends[0]);
}

}  // namespace
}  // namespace guise::server
