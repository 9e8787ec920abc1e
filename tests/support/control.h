// The admin API of a server that runs, over one connection: for tests that ask so often that a process for each
// question, as `guise` is, would be most of their time.
#ifndef GUISE_TESTS_SUPPORT_CONTROL_H_
#define GUISE_TESTS_SUPPORT_CONTROL_H_

#include <memory>
#include <string>

#include "proto/control/v1/sessions.grpc.pb.h"
#include "tests/support/guise.h"

namespace guise::tests {

// Not thread-safe.
class Control {
 public:
  // REQUIRES: `guise`'s server runs, or each call fails.
  explicit Control(const Guise& guise);

  // What `guise switch [--no-wait] SESSION STACK` does. Empty, or what the server has against it.
  std::string Switch(const std::string& session, const std::string& stack, bool wait);

 private:
  std::unique_ptr<v1::Sessions::Stub> sessions_;
};

}  // namespace guise::tests

#endif  // GUISE_TESTS_SUPPORT_CONTROL_H_
