#include "personalities/api/loans.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

namespace guise::api {
namespace {

constexpr Inode kFile = {8, 1, 42, 5, 6};
constexpr Inode kOther = {8, 1, 43, 5, 6};

TEST(LoansTest, TheLastBorrowerGivesBackWhatTheFirstHasFound) {
  Loans loans;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(loans.Enter(kFile));
  EXPECT_EQ(loans.Lend(kFile, 0, 0100), 0100u);
  EXPECT_EQ(loans.Lend(kFile, 0100, 0400), 0500u);
  EXPECT_EQ(loans.Lend(kFile, 0500, 0400), std::nullopt);
  // It has been read before the second one's change.
  EXPECT_EQ(loans.Lend(kFile, 0100, 0400), 0500u);
  EXPECT_FALSE(loans.Return(kFile).has_value());
  EXPECT_FALSE(loans.Return(kFile).has_value());
  const auto last = loans.Return(kFile);
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->before, 0u);
  for (const uint32_t own : {0u, 0100u, 0500u}) EXPECT_TRUE(last->IsOwn(own)) << own;
  EXPECT_FALSE(last->IsOwn(0700));
  loans.Settle(kFile);
  EXPECT_FALSE(loans.Has(kFile));
}

// Between the last one's return and the change of mode that it makes.
TEST(LoansTest, WhoComesWhileItIsGivenBackKnowsTheMode) {
  Loans loans;
  loans.Enter(kFile);
  loans.Lend(kFile, 0555, 0200);
  ASSERT_TRUE(loans.Return(kFile).has_value());
  loans.Enter(kFile);
  EXPECT_TRUE(loans.IsSettling(kFile));
  loans.Settle(kFile);
  EXPECT_FALSE(loans.IsSettling(kFile));
  EXPECT_EQ(loans.Lend(kFile, 0755, 0200), std::nullopt);
  EXPECT_EQ(loans.Lend(kFile, 0555, 0200), 0755u);
  EXPECT_EQ(loans.Return(kFile)->before, 0555u);
}

TEST(LoansTest, ABorrowerThatDiedIsRemembered) {
  Loans loans;
  loans.Enter(kFile);
  loans.Lend(kFile, 0, 0700);
  loans.Return(kFile);
  loans.Abandon(kFile);
  EXPECT_TRUE(loans.Has(kFile) && !loans.IsSettling(kFile));
  loans.Enter(kFile);
  EXPECT_EQ(loans.Lend(kFile, 0700, 0400), std::nullopt);
  EXPECT_EQ(loans.Return(kFile)->before, 0u);
}

TEST(LoansTest, WhatIsLentIsNotShown) {
  Loans loans;
  EXPECT_EQ(loans.Shown(kFile, 0100), 0100u);
  loans.Enter(kFile);
  EXPECT_EQ(loans.Shown(kFile, 0), 0u);
  loans.Lend(kFile, 0040, 0100);
  for (const uint32_t own : {0040u, 0140u}) EXPECT_EQ(loans.Shown(kFile, own), 0040u) << own;
  EXPECT_EQ(loans.Shown(kFile, 0700), 0700u);
  EXPECT_EQ(loans.Shown(kOther, 0140), 0140u);
}

TEST(LoansTest, AModeThatSomebodyGivesIsTheOneToHave) {
  Loans loans;
  loans.Enter(kFile);
  loans.Lend(kFile, 0555, 0200);
  loans.Enter(kFile);
  EXPECT_EQ(loans.Lend(kFile, 0511, 0200), 0711u);
  loans.Return(kFile);
  EXPECT_EQ(loans.Return(kFile)->before, 0511u);
  loans.Settle(kFile);
  loans.Enter(kFile);
  loans.Lend(kFile, 0600, 0100);
  loans.Keep(kFile);
  EXPECT_EQ(loans.Return(kFile)->before, 0700u) << "the same as was lent";
}

TEST(LoansTest, FilesBeyondItsRoomAreRefused) {
  Loans loans;
  Inode file = kOther;
  int entered = 0;
  for (; entered < 1000 && loans.Enter(file); ++entered) ++file.number;
  EXPECT_GE(entered, 64);
  EXPECT_LT(entered, 1000);
  EXPECT_FALSE(loans.Enter(kFile));
  loans.Return(kOther);
  loans.Settle(kOther);
  EXPECT_TRUE(loans.Enter(kFile));
}

}  // namespace
}  // namespace guise::api
