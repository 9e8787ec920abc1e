// The fixture of tests that run in both ways of waiting: io_uring, and futexes with epoll.
#ifndef GUISE_SERVER_SESSION_TESTING_SERVED_TEST_H_
#define GUISE_SERVER_SESSION_TESTING_SERVED_TEST_H_

#include <gtest/gtest.h>

#include "server/session/testing/served.h"

namespace guise::server::testing {

// The parameter: whether io_uring may be used.
class ServedTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && served_.sessions().Waiting() != "io_uring futex") {
      GTEST_SKIP() << "this kernel has no io_uring futexes";
    }
  }
  Sessions& sessions() { return served_.sessions(); }

  Served served_{{.allow_io_uring = GetParam()}};
};

#define INSTANTIATE_BOTH_WAYS(Test)                       \
  INSTANTIATE_TEST_SUITE_P(Ways, Test, ::testing::Bool(), \
                           [](const auto& info) { return info.param ? "IoUring" : "FutexAndEpoll"; })

}  // namespace guise::server::testing

#endif  // GUISE_SERVER_SESSION_TESTING_SERVED_TEST_H_
