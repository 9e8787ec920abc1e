// What the kinds of a row promise, held against what Linux did.
#ifndef GUISE_TESTS_KINDS_CHECKS_H_
#define GUISE_TESTS_KINDS_CHECKS_H_

#include <string>
#include <utility>
#include <vector>

#include "tests/kinds/call.h"

namespace guise::kinds {

using Run = std::pair<Scenario, Outcome>;

// The scenarios of a row; the first four are Roomy, Poison, Exact, Dirty.
std::vector<Scenario> ScenariosOf(const Recipe& recipe);

// A result and what was written, without what varies between two runs; one line, no newline.
std::string Describe(const Recipe& recipe, const Outcome& outcome);

// Whether base arguments with this outcome tell right kinds from wrong ones.
bool Tells(const Recipe& recipe, const Outcome& roomy);

// What the table says and Linux does not do; empty: all holds.
std::vector<std::string> Broken(const Recipe& recipe, const std::vector<Run>& runs);

}  // namespace guise::kinds

#endif  // GUISE_TESTS_KINDS_CHECKS_H_
