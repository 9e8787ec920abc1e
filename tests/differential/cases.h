// The programs that users run, each as a short script whose output does not vary.
#ifndef GUISE_TESTS_DIFFERENTIAL_CASES_H_
#define GUISE_TESTS_DIFFERENTIAL_CASES_H_

#include <vector>

#include "tests/support/differential.h"

namespace guise::tests {

// Ids, which fakeroot is there to change, are not printed by any of them.
std::vector<Differential> Differentials();

// Parts of it, by what they run. What a compiler does depends on no id: such cases are not run as root.
std::vector<Differential> ShellCases();
std::vector<Differential> FileCases();
std::vector<Differential> LanguageCases();
std::vector<Differential> BuildCases();

}  // namespace guise::tests

#endif  // GUISE_TESTS_DIFFERENTIAL_CASES_H_
