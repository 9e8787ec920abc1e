// A place that every account can reach, for one test process: the installed tree of Guise, guests, and homes. Bazel's
// outputs lie where only their owner may look.
#ifndef GUISE_TESTS_SUPPORT_STAGE_H_
#define GUISE_TESTS_SUPPORT_STAGE_H_

#include <string>

#include "tests/support/account.h"

namespace guise::tests {

// A fresh directory "/tmp/guise test.XXXXXX" (0755; the space is there on purpose), removed when the process ends
// unless GUISE_KEEP_STAGE is set.
class Stage {
 public:
  // The process's stage.
  static Stage& Get();

  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  const std::string& root() const { return root_; }

  // The prefix under which bin/guise, bin/guised and libexec/guise/guise-shim are installed: GUISE_PREFIX if that is
  // set, else copies of what Bazel built. Empty: this test was built without them.
  const std::string& prefix() const { return prefix_; }

  // The same with a server that hosts `through`; empty: this test was built without it.
  const std::string& through_prefix() const { return through_prefix_; }

  // Copies a program from the runfiles ("tests/guests/fork_static.elf") to the stage, once; returns its path there.
  std::string Guest(const std::string& runfile);

  // A fresh empty directory of the account's own (0755); its name begins with `name`.
  std::string MakeDirectory(const Account& account, const std::string& name);

 private:
  Stage();

  std::string root_;
  std::string prefix_;
  std::string through_prefix_;
  int directories_ = 0;
};

// Absolute path of a runfile of this test.
std::string Runfile(const std::string& path);

// Removes a tree, whatever the modes in it; does not follow links out of it.
void RemoveTree(const std::string& path);

// Copies a file, with the mode given.
void CopyFile(const std::string& from, const std::string& to, mode_t mode);

}  // namespace guise::tests

#endif  // GUISE_TESTS_SUPPORT_STAGE_H_
