// What tests of attempts to get out of a sandbox start from.
#ifndef GUISE_TESTS_SANDBOX_ESCAPE_H_
#define GUISE_TESTS_SANDBOX_ESCAPE_H_

#include <gtest/gtest.h>
#include <stdio.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sandbox/outside.h"
#include "tests/sandbox/sandboxed.h"
#include "tests/support/guise.h"

namespace guise::tests {

// A suite of attempts to get out.
struct Suite {
  const char* guest;
  int attempts;  // at least
  int controls;
  // What docs/THREAT_MODEL.md does not promise.
  std::set<std::string> allowed;
};
extern const Suite kKnown, kStrangers;

// "out" or "held", by the attempt's name.
using Outcomes = std::map<std::string, std::string>;

inline bool IsControl(const std::string& name) { return name.rfind("Control", 0) == 0; }

// Attempts, and what they look for: a hidden secret, a victim that is not to change, a process outside and more.
class AttemptTest : public SandboxTest {
 protected:
  void SetUp() override;

  // The suite's program, the account's own.
  std::string GuestOf(const Suite& suite) const;
  // Secret and victim as they are before any attempt.
  void MakeFiles() const;
  std::vector<std::string> Environment() const;
  // In a shell that has the victim as its standard input, and the secret open; `prepare` is a command of it.
  Command WithDescriptors(Command command, const std::string& prepare = "true") const;

  // Root in namespaces of mounts and those that words of unshare(1) name, with another /dev/null: attempts set its mode
  // and times. Who is not root stays.
  Command Apart(Command command, const std::vector<std::string>& namespaces) const;

  // What it says of each attempt; KillGroup is out when the shell was hit.
  static Outcomes OutcomesOf(const RunResult& result);
  // By name, what each attempt of the suite needs.
  std::map<std::string, std::vector<std::string>> Needs(const Suite& suite) const;

  std::unique_ptr<Outside> outside_;
  std::string hidden_, secret_, victim_, pipe_;
  mutable std::unique_ptr<FILE, int (*)(FILE*)> both_ends_{nullptr, &fclose};  // of the pipe
};

}  // namespace guise::tests

#endif  // GUISE_TESTS_SANDBOX_ESCAPE_H_
