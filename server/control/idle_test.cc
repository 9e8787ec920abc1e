#include "server/control/idle.h"

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/session/testing/served.h"

namespace guise::server {
namespace {

TEST(IdleWatchTest, ExpiresWhenTheLastSessionHasEndedAndNotBefore) {
  testing::Served served({});
  SessionOptions options;
  options.layers = {"linux"};
  const absl::StatusOr<SessionInfo> session = served.sessions().Create(options);
  ASSERT_TRUE(session.ok());
  absl::Notification expired;
  size_t living = 99;
  IdleWatch watch(served.reactor(), served.sessions(), absl::Milliseconds(1), [&] {
    living = served.sessions().Living();
    expired.Notify();
  });
  // Timers run in order: many looks have been taken when this one is due.
  absl::Notification later;
  served.reactor().After(absl::Milliseconds(50), [&] { later.Notify(); });
  later.WaitForNotification();
  EXPECT_FALSE(expired.HasBeenNotified());
  ASSERT_TRUE(served.sessions().Stop(session->id).ok());
  expired.WaitForNotification();
  EXPECT_EQ(living, 0u);
}

}  // namespace
}  // namespace guise::server
