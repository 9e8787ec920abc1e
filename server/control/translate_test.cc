#include "server/control/translate.h"

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace guise::server {
namespace {

TEST(TranslateTest, AGuestsNameIsMadeFitForAMessage) {
  SessionInfo info;
  info.guests.push_back({7, "a\xff\n"});
  EXPECT_EQ(ToMessage(info).guests(0).comm(), "a??");
}

TEST(TranslateTest, CountsAreSplitByParityAndSummed) {
  SessionInfo info;
  info.totals.calls[2][0] = 5;
  info.totals.calls[2][1] = 7;
  const v1::Session message = ToMessage(info);
  EXPECT_EQ(message.calls().server(), 12u);
  EXPECT_EQ(message.calls_even().server(), 5u);
  EXPECT_EQ(message.calls_odd().server(), 7u);
  EXPECT_EQ(message.calls().kernel(), 0u);
}

TEST(TranslateTest, SitesAreCountedByWhereTheirStubsLieAndWhyTheyHaveNone) {
  SessionInfo info;
  info.sites = {.caught = 1, .near = 2, .far = 3, .stub_bytes = 4, .known = 11, .kept = {5, 6, 7, 8, 9, 10}};
  const v1::SiteCounts& sites = ToMessage(info).sites();
  EXPECT_EQ(sites.caught_calls(), 1u);
  EXPECT_EQ(sites.near(), 2u);
  EXPECT_EQ(sites.far(), 3u);
  EXPECT_EQ(sites.stub_bytes(), 4u);
  EXPECT_EQ(sites.known(), 11u);
  EXPECT_EQ(sites.kept_next_instruction(), 5u);
  EXPECT_EQ(sites.kept_page_end(), 6u);
  EXPECT_EQ(sites.kept_text(), 7u);
  EXPECT_EQ(sites.kept_number(), 8u);
  EXPECT_EQ(sites.kept_room(), 9u);
  EXPECT_EQ(sites.kept_host(), 10u);
}

TEST(TranslateTest, APlacementOfALaterVersionIsRefused) {
  v1::PlaceRequest request;
  request.add_overrides()->set_syscall("getuid");
  request.mutable_overrides(0)->set_placement(static_cast<v1::Placement>(9));
  EXPECT_TRUE(absl::IsInvalidArgument(ToOverrides(request.overrides()).status()));
}

}  // namespace
}  // namespace guise::server
