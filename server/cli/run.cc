// `guise run` and `guise exec`: start a guest, stand in for it until it ends.
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/cli/arguments.h"
#include "server/cli/client.h"
#include "server/cli/command.h"
#include "server/cli/printable.h"
#include "server/cli/run_options.h"
#include "server/floor/floor.h"
#include "server/floor/generic_kernel.h"
#include "server/launch/entrance.h"
#include "server/launch/fd_socket.h"
#include "server/launch/guest_start.h"
#include "server/launch/installed.h"
#include "server/launch/keeper.h"
#include "server/launch/program.h"
#include "server/launch/server_start.h"
#include "server/launch/supervise.h"
#include "server/launch/surroundings.h"

namespace guise::server {
namespace {

// A private server ends itself after so long without a session.
constexpr int kIdleExitSeconds = 60;

// A server may end between our connecting and our joining; then the next one is started.
constexpr int kTries = 3;

// guise needs fds of its own, gRPC's among them; what the user set is given to the guest.
constexpr rlim_t kOwnOpenFiles = 1024;

rlim_t RaiseOpenFiles() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kOwnOpenFiles;
  const rlim_t given = limit.rlim_cur;
  if (limit.rlim_cur < kOwnOpenFiles) {
    limit.rlim_cur = std::min(kOwnOpenFiles, limit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  return given;
}

absl::StatusOr<uint32_t> SessionNumber(const std::string& id) {
  uint32_t number = 0;
  if (!absl::SimpleHexAtoi(id, &number)) {
    return absl::InternalError(absl::StrCat("the server named a session \"", id, "\", which is no id"));
  }
  return number;
}

absl::StatusOr<Keeper> Join(const RuntimeDirectory& directory, const std::string& id, wire::FdOp op) {
  const absl::StatusOr<uint32_t> number = SessionNumber(id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Attachment> attachment = AttachToSession(directory.FdSocket(), op, *number);
  if (!attachment.ok()) return attachment.status();
  return Keeper::Start(*std::move(attachment));
}

// A session, and the way to its server, while that is needed.
struct Joined {
  std::optional<Client> client;
  Keeper keeper;
};

// A new session, with this process as its keeper.
absl::StatusOr<Joined> NewSession(const v1::CreateSessionRequest& request, const SignalState& signals) {
  absl::Status last;
  for (int i = 0; i < kTries; ++i) {
    absl::StatusOr<Client> client = Client::ConnectOrStart(signals, kIdleExitSeconds);
    if (!client.ok()) return client.status();
    const absl::StatusOr<v1::Session> session = Client::Call(client->sessions(), &v1::Sessions::Stub::Create, request);
    last = session.status();
    if (session.ok()) {
      absl::StatusOr<Keeper> keeper = Join(client->directory(), session->id(), wire::FdOp::kAttach);
      if (keeper.ok()) {
        return Joined{*std::move(client), *std::move(keeper)};
      }
      last = keeper.status();
    }
    if (!absl::IsUnavailable(last)) break;
  }
  return last;
}

struct Living {
  Joined joined;
  v1::ExecIntoResponse session;
};

// A session that lives. Where its keeper has gone, this process becomes the next one.
absl::StatusOr<Living> LivingSession(const std::string& name) {
  absl::StatusOr<Client> client = Client::Connect();
  if (!client.ok()) return client.status();
  v1::ExecIntoRequest request;
  request.set_session(name);
  absl::StatusOr<v1::ExecIntoResponse> session =
      Client::Call(client->sessions(), &v1::Sessions::Stub::ExecInto, request);
  if (!session.ok()) return session.status();
  // A sandbox ends with its keeper.
  absl::StatusOr<Keeper> keeper =
      Join(client->directory(), session->session(), session->has_sandbox() ? wire::FdOp::kGuest : wire::FdOp::kAttach);
  if (!keeper.ok() && !session->has_sandbox() && !absl::IsUnavailable(keeper.status())) {
    keeper = Join(client->directory(), session->session(), wire::FdOp::kGuest);
  }
  if (!keeper.ok()) return keeper.status();
  return Living{{*std::move(client), *std::move(keeper)}, *std::move(session)};
}

// All of a guest's start but its session. To stay in its place.
struct Launcher {
  SignalInbox inbox;
  OwnedFd image;
  GuestStart start;
  std::optional<Floor> floor = std::nullopt;
  bool best_effort = false;  // of a sandbox

  // `guest`: whose sandbox is joined; 0: a new one.
  absl::Status LayFloor(const v1::SandboxPolicy& policy, pid_t guest) {
    const std::string here = WorkingDirectory();
    const absl::StatusOr<std::string> program = AbsolutePath(start.path);
    if (!program.ok()) return program.status();
    absl::StatusOr<Floor> prepared = Floor::Prepare(policy, *program, here, guest);
    if (!prepared.ok()) return prepared.status();
    // From where it starts, its name would be another.
    if (!prepared->moved_to().empty()) start.path = *program;
    start.floor = &floor.emplace(*std::move(prepared));
    floor->SetTmpdir(policy, start.environment);
    // Without best effort only a default is missing, that nobody asked for: it is said to people, and what a program
    // writes to a file or pipe stays its own.
    const bool tells = guest == 0 && (best_effort || isatty(STDERR_FILENO) == 1);
    const std::string missing = tells ? floor->NotEnforced(policy) : "";
    if (!missing.empty()) fprintf(stderr, "guise: the sandbox does not enforce here: %s\n", Printable(missing).c_str());
    if (!floor->moved_to().empty()) {
      fprintf(stderr, "guise: the sandbox does not show %s; the program starts in %s (--ro . or --rw . shows it)\n",
              here.empty() ? "the working directory, which has no name any more" : Printable(here).c_str(),
              floor->moved_to().c_str());
    }
    return absl::OkStatus();
  }

  absl::Status LayKernel(v1::Kernel kernel) {
    if (kernel != v1::KERNEL_GENERIC) return absl::OkStatus();
    absl::StatusOr<std::vector<sock_filter>> filter = GenericKernelFilter();
    if (!filter.ok()) return filter.status();
    start.filter = *std::move(filter);
    const std::string excepted = ExceptedForCpu(getauxval(AT_HWCAP2));
    if (!excepted.empty()) fprintf(stderr, "guise: %s\n", excepted.c_str());
    return absl::OkStatus();
  }
};

int ExitCodeOf(const absl::Status& not_started) {
  if (absl::IsOutOfRange(not_started)) return kExitCannotExecute;
  return absl::IsNotFound(not_started) ? kExitNotFound : kExitOwnFailure;
}

// Where a signal asks for it before there is a program, nothing of the start stays behind: no process, and of the floor
// no directory and no cgroup.
void EndIfAskedTo(Launcher& launcher, StartingGuest& starting) {
  const int signal = launcher.inbox.AskedToEnd();
  if (signal == 0) return;
  { const StartingGuest ends = std::move(starting); }
  launcher.floor.reset();
  SignalInbox::EndBy(signal);
}

// `joined`: none without the shim.
int StandIn(Launcher& launcher, StartingGuest starting, std::optional<Joined> joined) {
  Keeper* const keeper = joined.has_value() ? &joined->keeper : nullptr;
  Handover handover = {};
  if (keeper != nullptr) {
    handover = {keeper->attachment().request.get(), keeper->attachment().reply.get(), keeper->memory().hiding()};
  }
  EndIfAskedTo(launcher, starting);
  const absl::StatusOr<pid_t> guest = starting.Finish(keeper == nullptr ? nullptr : &handover);
  if (!guest.ok()) return Fail(guest.status(), ExitCodeOf(guest.status()));
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // guests of our uid cannot ptrace us and write to the keeper's line
  if (joined.has_value()) Client::CloseBeside(*std::exchange(joined->client, std::nullopt));
  const bool in_own_session = launcher.floor.has_value() && launcher.floor->in_own_session();
  const int code = Supervise(*guest, launcher.inbox, keeper, starting.stops(), in_own_session);
  // Nobody outlives process 1 of a sandbox.
  const bool is_confined = launcher.floor.has_value() && launcher.floor->confinement() != nullptr;
  if (keeper == nullptr || is_confined) return code;
  if (keeper->keeps() && keeper->memory().AnyLivingGuest(0) != 0 && !keeper->LeaveCopy()) {
    Fail(absl::ResourceExhaustedError(
        "no process for the session's keeper; should the server die, its guests may hang"));
  }
  return code;
}

int RunInNewSession(Launcher& launcher, const v1::CreateSessionRequest& request) {
  absl::Status laid = request.has_sandbox() ? launcher.LayFloor(request.sandbox(), 0) : absl::OkStatus();
  if (laid.ok()) laid = launcher.LayKernel(request.kernel());
  if (!laid.ok()) return Fail(laid, kExitOwnFailure);
  absl::StatusOr<StartingGuest> guest = StartingGuest::Begin(launcher.start);
  if (!guest.ok()) return Fail(guest.status(), kExitOwnFailure);
  if (!launcher.image) return StandIn(launcher, *std::move(guest), std::nullopt);
  absl::StatusOr<Joined> joined = NewSession(request, launcher.start.signals);
  if (!joined.ok()) {
    // What the terminal sends ends a server that starts, too, which is no failure of its own.
    EndIfAskedTo(launcher, *guest);
    return Fail(joined.status(), kExitOwnFailure);
  }
  return StandIn(launcher, *std::move(guest), *std::move(joined));
}

int RunInLivingSession(Launcher& launcher, const std::string& name) {
  absl::StatusOr<Living> living = LivingSession(name);
  if (!living.ok()) return Fail(living.status(), kExitOwnFailure);
  const v1::ExecIntoResponse& session = living->session;
  Entrance entrance;
  absl::Status laid;
  if (session.has_sandbox()) {
    // There is nothing to join of a floor without namespaces.
    if (session.sandbox().floor() != v1::FLOOR_LANDLOCK) {
      absl::StatusOr<Entrance> found =
          FindEntrance({session.guests().begin(), session.guests().end()}, session.keeper(), launcher.start.image);
      if (!found.ok()) return Fail(found.status(), kExitOwnFailure);
      entrance = *std::move(found);
      launcher.start.image = entrance.image.get();
      launcher.start.joins = entrance.pidfd.get();
    }
    laid = launcher.LayFloor(session.sandbox(), entrance.pid);
  }
  if (laid.ok()) laid = launcher.LayKernel(session.kernel());
  if (!laid.ok()) return Fail(laid, kExitOwnFailure);
  absl::StatusOr<StartingGuest> guest = StartingGuest::Begin(launcher.start);
  if (!guest.ok()) return Fail(guest.status(), kExitOwnFailure);
  return StandIn(launcher, *std::move(guest), std::move(living->joined));
}

// What can be found wrong before there is a session; then `run`.
int Launch(absl::StatusOr<std::vector<std::string>> words, const SignalState& signals, bool has_shim,
           const std::function<int(Launcher&)>& run) {
  if (!words.ok()) return Fail(words.status(), kExitOwnFailure);
  const rlim_t open_files = RaiseOpenFiles();
  absl::Status here = CheckNotAGuest();
  if (here.ok() && has_shim) here = CheckSyscallUserDispatch();
  if (!here.ok()) return Fail(here, kExitOwnFailure);
  absl::StatusOr<OwnedFd> image = has_shim ? OpenShimImage() : OwnedFd();
  if (!image.ok()) return Fail(image.status(), kExitOwnFailure);
  absl::StatusOr<std::string> path = FindProgram((*words)[0], SearchPath());
  if (!path.ok()) {
    return Fail(path.status(), absl::IsNotFound(path.status()) ? kExitNotFound : kExitCannotExecute);
  }
  absl::StatusOr<SignalInbox> inbox = SignalInbox::Open();
  if (!inbox.ok()) return Fail(inbox.status(), kExitOwnFailure);
  const int image_fd = image->get();
  Launcher launcher = {
      *std::move(inbox), *std::move(image), {image_fd, *std::move(path), *std::move(words), {}, signals, open_files}};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    launcher.start.environment.emplace_back(*variable);
  }
  return run(launcher);
}

// The command's words: those that the parser left over, "--" if there were both, those behind it. INVALID_ARGUMENT:
// none, or the first of those left over is an option that is not known.
absl::StatusOr<std::vector<std::string>> CommandWords(const CLI::App& app, const Invocation& invocation) {
  std::vector<std::string> words = app.remaining();
  if (!words.empty() && absl::StartsWith(words[0], "-")) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown option ", words[0], "; `guise ", app.get_name(), " --help` lists those there are"));
  }
  if (!words.empty() && !invocation.trailing.empty()) words.emplace_back("--");
  words.insert(words.end(), invocation.trailing.begin(), invocation.trailing.end());
  if (words.empty()) return absl::InvalidArgumentError("no command given; write it behind \"--\"");
  return words;
}

}  // namespace

void AddRun(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* run = app.add_subcommand("run", "Runs a program in a new session");
  SetUsage(*run, "guise run [OPTIONS] -- COMMAND [ARGUMENT...]");
  run->prefix_command();
  AddRunOptions(*run, options);
  run->footer(
      "Examples:\n"
      "  guise run -- make -j2\n"
      "  guise run --personality fakeroot -- sh -c 'chown 1:2 f; tar cf f.tar f'\n"
      "  guise run --name build --place getuid=server -- ./program\n"
      "  guise run --personality legacy:el6 -- ./old-program\n"
      "  guise run --personality sandboxed --rw . -- make\n"
      "Exit code: the program's; 125 when Guise fails, 126 when the program cannot be executed, 127 when it is not\n"
      "found, 128+n when signal n ended it.");
  run->callback([run, options, &invocation] {
    invocation.act = [run, options, &invocation] {
      const absl::StatusOr<v1::CreateSessionRequest> request = ToRequest(*options);
      if (!request.ok()) {
        // What a guest cannot see a policy cannot name, and that is not what stands in its way.
        const absl::Status here = CheckNotAGuest();
        return Fail(here.ok() ? request.status() : here, kExitOwnFailure);
      }
      return Launch(CommandWords(*run, invocation), invocation.signals, !options->no_shim, [&](Launcher& launcher) {
        launcher.best_effort = options->sandbox->best_effort;
        return RunInNewSession(launcher, *request);
      });
    };
  });
}

void AddExec(CLI::App& app, Invocation& invocation) {
  auto session = std::make_shared<std::string>();
  CLI::App* exec = app.add_subcommand("exec", "Runs a program in a session that lives");
  SetUsage(*exec, "guise exec SESSION -- COMMAND [ARGUMENT...]");
  exec->prefix_command();
  exec->add_option("session", *session, "The session's id or name")->required()->type_name("SESSION");
  exec->footer(
      "Examples:\n"
      "  guise exec build -- id -u\n"
      "  guise exec 5f3a90c1 -- sh\n"
      "Exit code: as of `guise run`.");
  exec->callback([exec, session, &invocation] {
    invocation.act = [exec, session, &invocation] {
      return Launch(CommandWords(*exec, invocation), invocation.signals, true,
                    [&](Launcher& launcher) { return RunInLivingSession(launcher, *session); });
    };
  });
}

}  // namespace guise::server
