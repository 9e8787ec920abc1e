// Linux is the oracle: a script is run natively twice, then in another way, and must do the same.
#ifndef GUISE_TESTS_SUPPORT_DIFFERENTIAL_H_
#define GUISE_TESTS_SUPPORT_DIFFERENTIAL_H_

#include <string>
#include <vector>

#include "tests/support/file_tree.h"
#include "tests/support/guise.h"
#include "tests/support/process.h"

namespace guise::tests {

struct Differential {
  std::string name;               // fit for a test's name
  std::vector<std::string> argv;  // run in a fresh directory, which has the same name each time
  std::string setup;              // shell commands, run there natively before
  std::string input;
  std::vector<std::string> needs;  // programs without which the case is skipped
  int exit_code = 0;               // natively
  bool as_root = true;             // worth a run as root too
};

// A case that is a script for `bash -c`.
Differential Script(std::string name, std::string script, std::vector<std::string> needs = {}, std::string setup = "");

// What one run showed.
struct Observation {
  RunResult result;
  FileTree tree;
};

// Runs the case in one way, in a directory that is removed again.
Observation Observe(const Differential& differential, Guise& guise, const Way& way);

// Compares exit codes, stdout, stderr and file trees. What the two native runs differ in is left out: lines of output
// (by line number), names, contents. Two native runs that differ in their number of lines say nothing: that is reported
// too. Empty: the same.
std::vector<std::string> Compare(const Observation& first, const Observation& second, const Observation& actual);

// The program among `names` that is not installed for everybody; empty: all are there.
std::string Missing(const std::vector<std::string>& names);

}  // namespace guise::tests

#endif  // GUISE_TESTS_SUPPORT_DIFFERENTIAL_H_
