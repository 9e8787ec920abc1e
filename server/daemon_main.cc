#include "server/daemon_main.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "personalities/api/personality.h"
#include "proto/wire/version.h"
#include "server/control/control_server.h"
#include "server/control/daemon.h"
#include "server/control/idle.h"
#include "server/control/listeners.h"
#include "server/control/log.h"
#include "server/launch/errno_status.h"
#include "server/launch/runtime_directory.h"
#include "server/launch/xdg.h"
#include "server/reactor/owned_fd.h"
#include "server/reactor/reactor.h"
#include "server/session/fd_socket.h"
#include "server/session/sessions.h"
#include "server/sites/site_library.h"
#include "server/stack/epoch.h"
#include "server/version.h"

namespace guise::server {
namespace {

// Of a server with limits that the next session should not have.
constexpr absl::Duration kLimitedIdle = absl::Seconds(3);

// Empty: nothing is kept.
std::string DefaultCacheDirectory() {
  if (const char* const own = getenv("GUISE_CACHE_DIR"); own != nullptr) return *own == '/' ? own : "";
  return XdgDirectory("XDG_CACHE_HOME", "/.cache");
}

struct Flags {
  std::string runtime_directory = RuntimeDirectory::DefaultPath();
  std::string cache_directory = DefaultCacheDirectory();
  std::string log;  // empty: server.log in the runtime directory
  int idle_exit_seconds = 0;
  std::string kept_limits;  // of whoever started it, LiftLimits()
  bool foreground = false;
  bool io_uring = true;
};

// SIGTERM and SIGINT as an fd; blocked in every thread that is started after this. A terminal's hang-up and a reader
// that has gone are no reason to end.
absl::StatusOr<OwnedFd> TakeSignals() {
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_SETMASK, &ends, nullptr);
  OwnedFd fd(signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return ErrnoStatus(errno, "cannot make a signalfd");
  return fd;
}

// Serves until it is told to end, or nobody needs it. `readiness` has been told either way.
absl::Status Serve(const Flags& flags, absl::Span<const api::Registration> personalities,
                   const RuntimeDirectory& directory, Readiness& readiness) {
  api::Registry registry;
  for (const api::Registration& personality : personalities) {
    if (absl::Status status = registry.Add(personality); !status.ok()) return status;
  }
  absl::StatusOr<Listeners> listeners = Listeners::Open(directory);
  if (!listeners.ok()) return listeners.status();
  if (!flags.foreground) {
    if (absl::Status status = LogTo(flags.log.empty() ? directory.LogFile() : flags.log); !status.ok()) return status;
  }
  const absl::StatusOr<OwnedFd> signals = TakeSignals();
  if (!signals.ok()) return signals.status();

  absl::StatusOr<std::unique_ptr<Reactor>> made_reactor = Reactor::Create({.allow_io_uring = flags.io_uring});
  if (!made_reactor.ok()) return made_reactor.status();
  Reactor& reactor = **made_reactor;
  Sessions::Options options;
  options.compile = [&registry](const EpochSpec& spec) { return Epoch::Compile(registry, spec); };
  options.allow_io_uring = flags.io_uring;
  const bool keeps_sites = !flags.cache_directory.empty() && flags.cache_directory[0] == '/';
  if (keeps_sites) options.sites = std::make_shared<SiteLibrary>(flags.cache_directory);
  absl::StatusOr<std::unique_ptr<Sessions>> sessions = Sessions::Start(reactor, std::move(options));
  if (!sessions.ok()) return sessions.status();
  absl::StatusOr<std::unique_ptr<FdSocket>> fd_socket =
      FdSocket::Serve(reactor, **sessions, listeners->TakeFdListener());
  if (!fd_socket.ok()) return fd_socket.status();

  // The calls in progress end while the reactor still runs; then it ends itself.
  std::unique_ptr<ControlServer> control;
  std::thread drainer;
  const auto end = [&](const std::string& why) {
    reactor.Post([&, why] {
      if (drainer.joinable()) return;
      Log(absl::StrCat("ends: ", why));
      control->Close();
      listeners->Close();  // who comes now starts the next server
      // A second signal ends us at once, should a call hang.
      reactor.Unwatch(signals->get());
      drainer = std::thread([&] {
        control->Drain();
        reactor.Stop();
      });
      sigset_t none;
      sigemptyset(&none);
      pthread_sigmask(SIG_SETMASK, &none, nullptr);
    });
  };
  ServerService::Facts facts;
  facts.runtime_directory = directory.path();
  facts.reactor = std::string(reactor.Kind());
  for (const std::string_view name : registry.Names()) facts.personalities.emplace_back(name);
  facts.feature_bits = wire::kFeatures;
  facts.shutdown = [&end] { end("told to by a caller"); };
  absl::StatusOr<std::unique_ptr<ControlServer>> started =
      ControlServer::Start(reactor, **sessions, listeners->control(), std::move(facts));
  if (!started.ok()) return started.status();
  control = *std::move(started);
  reactor.Watch(signals->get(), [&] {
    signalfd_siginfo info;
    if (read(signals->get(), &info, sizeof(info)) == sizeof(info)) end(absl::StrCat("signal ", info.ssi_signo));
  });
  std::unique_ptr<IdleWatch> idle;
  absl::Duration idle_exit = absl::Seconds(flags.idle_exit_seconds);
  if (!flags.kept_limits.empty() && flags.idle_exit_seconds > 0) {
    Log(absl::StrCat("cannot lift the limits that it was started with (ulimit -", flags.kept_limits,
                     "); ends when it has no session"));
    idle_exit = kLimitedIdle;
  }
  if (idle_exit > absl::ZeroDuration()) {
    idle = std::make_unique<IdleWatch>(reactor, **sessions, idle_exit, [&end] { end("no session for a while"); });
  }

  Log(absl::StrCat("guise ", kVersion, " serves ", directory.path(), ", reactor: ", std::string(reactor.Kind()),
                   ", waiting: ", std::string((*sessions)->Waiting())));
  readiness.Ready();
  reactor.Run();
  drainer.join();
  control.reset();
  fd_socket->reset();
  sessions->reset();
  Log("ended");
  return absl::OkStatus();
}

}  // namespace

int DaemonMain(int argc, char** argv, absl::Span<const api::Registration> personalities) {
  Flags flags;
  CLI::App app("The server of Guise. `guise run` starts it by itself.", "guised");
  app.set_version_flag("--version", kVersion);
  app.add_option("--runtime-dir", flags.runtime_directory, "Where its sockets, lock and log lie")
      ->type_name("DIRECTORY")
      ->capture_default_str();
  app.add_option("--idle-exit", flags.idle_exit_seconds, "Ends after so long without sessions; 0: never")
      ->type_name("SECONDS")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--cache-dir", flags.cache_directory,
                 "Where it keeps what sessions learn of call sites ($GUISE_CACHE_DIR); empty: each session begins anew")
      ->type_name("DIRECTORY")
      ->capture_default_str();
  app.add_option("--log", flags.log, "Its log, instead of server.log in the runtime directory")->type_name("FILE");
  app.add_flag("--foreground", flags.foreground, "Stays attached, and logs to stderr; for systemd and debugging");
  app.add_flag("--io-uring,!--no-io-uring", flags.io_uring, "Whether io_uring may be used where it works");
  app.footer(
      "Examples:\n"
      "  guised\n"
      "  guised --foreground --runtime-dir /run/user/1000/guise\n"
      "It returns when it serves, and goes on in the background, unless --foreground is given.");
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return absl::StrCat("guised: ", error.what(), "; `guised --help` says what there is\n");
  });
  CLI11_PARSE(app, argc, argv);

  const absl::StatusOr<RuntimeDirectory> directory = RuntimeDirectory::Make(flags.runtime_directory);
  Readiness readiness;
  if (!directory.ok()) {
    readiness.Failed(directory.status());
    return 1;
  }
  if (!flags.foreground) {
    absl::StatusOr<Readiness> detached = Detach();
    if (!detached.ok()) {
      readiness.Failed(detached.status());
      return 1;
    }
    readiness = *std::move(detached);
    flags.kept_limits = LiftLimits();
  }
  if (absl::Status status = CheckOpenFiles(); !status.ok()) {
    readiness.Failed(status);
    return 1;
  }
  if (absl::Status status = Serve(flags, personalities, *directory, readiness); !status.ok()) {
    readiness.Failed(status);
    return 1;
  }
  return 0;
}

}  // namespace guise::server
