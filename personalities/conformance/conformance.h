// What every personality must hold, in tree or plugin. A test of one personality is this suite and one line:
//
//   INSTANTIATE_TEST_SUITE_P(Fakeroot, ConformanceTest, testing::Values(Subject{Fakeroot::Register()}));
//
// The promises are README.md's; the tests' names say them. The guest is scripted: its arguments, memory and results of
// native calls are random bytes, the same ones for the same seed.
#ifndef GUISE_PERSONALITIES_CONFORMANCE_CONFORMANCE_H_
#define GUISE_PERSONALITIES_CONFORMANCE_CONFORMANCE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "personalities/api/personality.h"

namespace guise::personalities {

struct Subject {
  api::Registration registration;
  std::string argument = {};
  std::vector<Subject> beneath = {};  // the layers of a stack that it is on top of
};

class ConformanceTest : public testing::TestWithParam<Subject> {
 protected:
  ConformanceTest();

  // The personality as a stack names it, and the layers beneath it.
  std::string Layer() const;
  std::vector<std::string> Stack() const;
  bool sandboxed() const { return sandboxed_; }
  std::unique_ptr<api::Personality> Make() const;

  api::Registry registry_;    // with the personalities, and `through`, which claims all and passes it on
  api::Claims claims_;        // the personality's
  std::set<uint32_t> calls_;  // that the stack claims
  bool sandboxed_ = false;    // the stack is for sessions with the floor of a sandbox
};

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_CONFORMANCE_CONFORMANCE_H_
