#include "shim/gate/looks.h"

#include <gtest/gtest.h>

namespace guise::shim {
namespace {

using syscall::Nr;

TEST(LooksTest, NumbersThatNobodyKnowsAreCaught) {
  for (const uint32_t nr : {600u, 1023u, 1024u, 0x40000000u, 0xffffffffu}) {
    EXPECT_TRUE(LooksOf(Nr{nr}).Has(Look::kCaught)) << nr;
  }
  EXPECT_FALSE(LooksOf(Nr::getppid).Has(Look::kCaught));
}

TEST(LooksTest, EachArgumentOfTheTableThatIsAnFdOrAPathIsLookedAt) {
  for (const syscall::Row& row : syscall::kTable) {
    const Looks looks = LooksOf(row.nr);
    for (size_t i = 0; i < syscall::kMaxArgs; ++i) {
      const syscall::ArgKind kind = row.args[i].kind;
      const bool fd = kind == syscall::ArgKind::Fd || kind == syscall::ArgKind::DirFd;
      const bool is_source = row.nr == syscall::Nr::mount && i == 0;
      EXPECT_EQ((looks.paths >> i & 1) != 0, kind == syscall::ArgKind::Path || is_source)
          << static_cast<uint32_t>(row.nr);
      EXPECT_EQ((looks.fds >> i & 1) != 0, fd) << static_cast<uint32_t>(row.nr);
    }
  }
}

TEST(LooksTest, WhatArgumentsDoNotTellIsByNumber) {
  EXPECT_TRUE(LooksOf(Nr::close_range).Has(Look::kFdTable));
  EXPECT_TRUE(LooksOf(Nr::poll).Has(Look::kFdLists));
  EXPECT_TRUE(LooksOf(Nr::mprotect).Has(Look::kMemory));
  EXPECT_TRUE(LooksOf(Nr::ppoll).Has(Look::kTempMask));
  EXPECT_TRUE(LooksOf(Nr::getdents64).Has(Look::kResult));
  EXPECT_TRUE(LooksOf(Nr::membarrier).Has(Look::kBarriers));
  EXPECT_EQ(LooksOf(Nr::dup3).OfNumber(), 0);
  EXPECT_EQ(LooksOf(Nr::read).OfNumber(), 0) << "that it may block is of no matter here";
}

TEST(LooksTest, ArgumentsAreVisitedUntilOneIsFound) {
  int visited = 0;
  EXPECT_FALSE(AnyArgument(0, [&](size_t) { return ++visited > 0; }));
  EXPECT_TRUE(AnyArgument(0x2a, [&](size_t i) { return ++visited == 2 && i == 3; }));
  EXPECT_EQ(visited, 2);
}

}  // namespace
}  // namespace guise::shim
