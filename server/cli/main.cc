// guise: the command line of Guise.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/cli/command.h"
#include "server/cli/doctor/probes.h"
#include "server/cli/printable.h"
#include "server/launch/signal_state.h"
#include "server/launch/surroundings.h"

namespace guise::server {

int Fail(const absl::Status& status, int code) {
  const std::string text = "guise: " + Printable(status.message()) + "\n";
  fputs(text.c_str(), stderr);
  return code;
}

namespace {

class Formatter final : public CLI::Formatter {
 public:
  explicit Formatter(std::string usage) : usage_(std::move(usage)) { column_width(kColumn); }
  std::string make_usage(const CLI::App*, std::string) const override { return "Usage: " + usage_ + "\n"; }

  static constexpr size_t kColumn = 36;

 private:
  const std::string usage_;
};

}  // namespace

void SetUsage(CLI::App& command, std::string usage) {
  command.formatter(std::make_shared<Formatter>(std::move(usage)));
}

namespace {

constexpr char kAbout[] = "Runs programs under another Linux ABI, chosen by personalities and swapped while they run.";
constexpr char kExamples[] =
    "Examples:\n"
    "  guise run --personality fakeroot -- sh -c 'id -u; touch f; chown 1:2 f; ls -ln f'\n"
    "  guise ps\n"
    "  guise switch 5f3a90c1 fakeroot\n"
    "  guise doctor\n"
    "`guise COMMAND --help` tells more of each.";

struct CommandName {
  const char* name;
  void (*add)(CLI::App& app, Invocation& invocation);
};
// To hang all of them onto the app takes as long as all that some do.
constexpr CommandName kCommands[] = {
    {"run", AddRun},       {"exec", AddExec}, {"ps", AddPs},         {"switch", AddSwitch}, {"place", AddPlace},
    {"policy", AddPolicy}, {"stop", AddStop}, {"server", AddServer}, {"doctor", AddDoctor}, {"version", AddVersion},
};

// What was printed has to have come through. Returns the exit code.
int Printed(int code) {
  std::cout.flush();
  const int error = fflush(stdout) != 0 ? errno : ferror(stdout) != 0 || !std::cout.good() ? EIO : 0;
  if (code != 0 || error == 0) return code;
  return Fail(absl::DataLossError(
                  absl::StrCat("cannot write to the standard output: ", std::generic_category().message(error))),
              kExitFailed);
}

// gRPC waits for ever for threads that it cannot make.
absl::Status CheckAddressSpace() {
  constexpr rlim_t kLeast = 112 << 20;
  rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur >= kLeast) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the limit of address space is ", limit.rlim_cur >> 10, " KiB (ulimit -v), and `guise` itself needs ",
      kLeast >> 10, "; raise it here, and lower it inside: guise run -- sh -c 'ulimit -v N; exec PROGRAM'"));
}

// As Fail() writes: the parser's own message names the option or the value.
std::string Usage(const CLI::App* app, const CLI::Error& error) {
  std::string command = "guise";
  for (const CLI::App* at = app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    absl::StrAppend(&command, " ", at->get_name());
  }
  return absl::StrCat("guise: ", error.what(), "; `", command, " --help` says what there is\n");
}

int Main(int argc, char** argv) {
  Invocation invocation = {SignalState::Capture(), {}, nullptr};
  OccupyStandardFds();

  // What follows "--" is the guest's: it is cut off before the parser sees it.
  std::vector<std::string> words(argv + 1, argv + argc);
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] != "--") continue;
    invocation.trailing.assign(words.begin() + static_cast<ptrdiff_t>(i) + 1, words.end());
    words.resize(i);
    break;
  }

  CLI::App app(kAbout, "guise");
  app.set_version_flag("--version", VersionLine(), "Print the version of this `guise` and exit");
  app.require_subcommand(1);
  app.footer(kExamples);
  app.failure_message(Usage);
  app.get_formatter()->column_width(Formatter::kColumn);
  const bool is_known = std::any_of(std::begin(kCommands), std::end(kCommands),
                                    [&](const CommandName& known) { return !words.empty() && words[0] == known.name; });
  for (const CommandName& known : kCommands) {
    if (!is_known || words[0] == known.name) known.add(app, invocation);
  }
  if (!words.empty() && !is_known && words[0][0] != '-') {
    return Fail(absl::InvalidArgumentError(
                    absl::StrCat("there is no command \"", words[0], "\"; `guise --help` lists those there are")),
                kExitUsage);
  }
  const bool runs_guest = !words.empty() && (words[0] == "run" || words[0] == "exec");
  std::vector<std::string> reversed(words.rbegin(), words.rend());  // as CLI11 wants them
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) == 0) return Printed(0);  // --help
    return runs_guest ? kExitOwnFailure : kExitUsage;
  }
  if (!runs_guest && !invocation.trailing.empty()) {
    return Fail(absl::InvalidArgumentError("this command takes nothing behind \"--\""), kExitUsage);
  }
  if (const absl::Status status = CheckAddressSpace(); !status.ok()) {
    return Fail(status, runs_guest ? kExitOwnFailure : kExitFailed);
  }
  if (runs_guest) _exit(invocation.act());  // a connection may be closed in another thread still
  return Printed(invocation.act());
}

}  // namespace
}  // namespace guise::server

int main(int argc, char** argv) {
  if (argc > 0 && strcmp(argv[0], guise::server::kProbeName) == 0) return guise::server::kProbeExit;
  return guise::server::Main(argc, argv);
}
