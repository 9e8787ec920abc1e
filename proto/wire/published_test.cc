#include "proto/wire/published.h"

#include <gtest/gtest.h>

namespace guise::wire {
namespace {

TEST(PublishedTest, AnIdIsShownAsTheFlagsSay) {
  EXPECT_EQ(ShownId(1000, 0, 1000, 0), 1000u);
  EXPECT_EQ(ShownId(1000, kMapOwner, 1000, 0), 0u);
  EXPECT_EQ(ShownId(1001, kMapOwner | kMapOverflow, 1000, 0), 1001u);
  EXPECT_EQ(ShownId(kOverflowId, kMapOwner, 1000, 0), kOverflowId);
  EXPECT_EQ(ShownId(kOverflowId, kMapOwner | kMapOverflow, 1000, 0), 0u);
  EXPECT_EQ(ShownId(kOverflowId, kMapOverflow, 1000, 0), kOverflowId) << "says nothing by itself";
}

}  // namespace
}  // namespace guise::wire
