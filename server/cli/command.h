// The commands of `guise`. Each Add...() hangs one onto the app; when the user has chosen it, `invocation.act` is set
// to what it does, and main calls that once the whole line has been parsed.
#ifndef GUISE_SERVER_CLI_COMMAND_H_
#define GUISE_SERVER_CLI_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/launch/signal_state.h"

namespace guise::server {

// Exit codes as docker's. Those of commands that run no guest: 0, 1 (failed), 2 (misused).
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitOwnFailure = 125;  // of `run` and `exec`: Guise itself failed
inline constexpr int kExitCannotExecute = 126;
inline constexpr int kExitNotFound = 127;

// What a run of `guise` is about.
struct Invocation {
  SignalState signals;                // as guise was started
  std::vector<std::string> trailing;  // what came behind "--"
  std::function<int()> act;           // returns the exit code
};

void AddRun(CLI::App& app, Invocation& invocation);
void AddExec(CLI::App& app, Invocation& invocation);
void AddPs(CLI::App& app, Invocation& invocation);
void AddSwitch(CLI::App& app, Invocation& invocation);
void AddPlace(CLI::App& app, Invocation& invocation);
void AddPolicy(CLI::App& app, Invocation& invocation);
void AddStop(CLI::App& app, Invocation& invocation);
void AddServer(CLI::App& app, Invocation& invocation);
void AddDoctor(CLI::App& app, Invocation& invocation);
void AddVersion(CLI::App& app, Invocation& invocation);

// What `guise version` and `guise --version` print.
std::string VersionLine();

// Sets the line that --help shows first; CLI11 makes one up that does not know of "--".
void SetUsage(CLI::App& command, std::string usage);

// Says the error on stderr, as "guise: ...", and returns `code`.
int Fail(const absl::Status& status, int code = kExitFailed);

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_COMMAND_H_
