// What tests of sandboxed sessions start from.
#ifndef GUISE_TESTS_SANDBOX_SANDBOXED_H_
#define GUISE_TESTS_SANDBOX_SANDBOXED_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {

inline std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// A directory of the account's, which a sandbox shows; skips where no sandbox can be made.
class SandboxTest : public testing::TestWithParam<Account> {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = &Guise::Shared(GetParam());
    directory_ = Stage::Get().MakeDirectory(GetParam(), "sandbox");
    const RunResult probe = Run({}, {"true"});
    if (probe.exit_code == 125 && probe.err.find("namespaces of a sandbox") != std::string::npos) {
      GTEST_SKIP() << "no namespaces here: " << probe.err;
    }
  }
  void TearDown() override { RemoveTree(directory_); }

  RunResult Run(const std::vector<std::string>& options, const std::vector<std::string>& argv,
                const std::vector<std::string>& environment = {}, const std::string& input = "") {
    return RunToEnd(Line(options, argv, environment, input));
  }

  Command Line(const std::vector<std::string>& options, const std::vector<std::string>& argv,
               const std::vector<std::string>& environment = {}, const std::string& input = "") {
    std::vector<std::string> words = {"run", "--personality", stack_, "--ro", directory_};
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("--");
    words.insert(words.end(), argv.begin(), argv.end());
    Command command = guise_->Cli(words);
    command.cwd = directory_;
    command.input = input;
    command.env.insert(command.env.end(), environment.begin(), environment.end());
    return command;
  }

  Guise* guise_ = nullptr;
  std::string stack_ = "sandboxed";
  std::string directory_;
};

}  // namespace guise::tests

#endif  // GUISE_TESTS_SANDBOX_SANDBOXED_H_
