#include "server/floor/made_filters.h"

#include <cstring>

#include "gtest/gtest.h"

namespace guise::server {
namespace {

TEST(MadeFiltersTest, AreThoseThatAreMadeNow) {
  for (unsigned kind = 0; kind < kFilterKinds; ++kind) {
    EXPECT_EQ(KindOf(GapsOf(kind)), kind);
    const absl::StatusOr<std::vector<sock_filter>> now = SandboxFilter(GapsOf(kind));
    ASSERT_TRUE(now.ok()) << now.status();
    const std::vector<sock_filter> made = MadeSandboxFilter(GapsOf(kind));
    ASSERT_EQ(made.size(), now->size());
    EXPECT_EQ(std::memcmp(made.data(), now->data(), made.size() * sizeof(sock_filter)), 0) << kind;
  }
}

}  // namespace
}  // namespace guise::server
