#include "server/launch/server_start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/launch/errno_status.h"
#include "server/launch/fd_socket.h"
#include "server/launch/file_lock.h"
#include "server/launch/installed.h"

namespace guise::server {
namespace {

// A server that somebody else has started holds the lock a moment before it listens, and one that ends, a moment after.
constexpr int kTries = 100;
constexpr timespec kBetweenTries = {0, 50'000'000};

// Reads to the end, or for as long as a server may take to start.
constexpr int kStartMillis = 20'000;

bool ReadAll(int fd, std::string* text) {
  for (;;) {
    pollfd entry = {fd, POLLIN, 0};
    const int ready = poll(&entry, 1, kStartMillis);
    if (ready == 0) return false;
    if (ready < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    char bytes[1024];
    const ssize_t length = read(fd, bytes, sizeof(bytes));
    if (length <= 0) return length == 0;
    text->append(bytes, static_cast<size_t>(length));
  }
}

}  // namespace

absl::StatusOr<OwnedFd> ConnectToServer(const RuntimeDirectory& directory) {
  return ConnectUnix(directory.ControlSocket(), SOCK_STREAM);
}

absl::Status StartServer(const std::vector<std::string>& arguments, const SignalState& signals) {
  const absl::StatusOr<std::string> binary = FindServerBinary();
  if (!binary.ok()) return binary.status();
  std::vector<std::string> strings = {*binary};
  strings.insert(strings.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(strings.size() + 1);
  for (std::string& string : strings) argv.push_back(string.data());
  argv.push_back(nullptr);

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "cannot make a pipe");
  const OwnedFd read_end(ends[0]);
  OwnedFd write_end(ends[1]);
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus(errno, "cannot start the server", "raise `ulimit -u`");
  if (child == 0) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(write_end.get(), STDERR_FILENO);
    signals.Restore();
    // What stops our group is not to stop what we wait for. What ends it ends the start as well.
    for (const int stop : {SIGTSTP, SIGTTIN, SIGTTOU}) signal(stop, SIG_IGN);
    execv(argv[0], argv.data());
    dprintf(STDERR_FILENO, "cannot execute %s: errno %d", argv[0], errno);
    _exit(125);
  }
  write_end = OwnedFd();

  std::string said;
  const bool ended = ReadAll(read_end.get(), &said);
  if (!ended) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  absl::StripAsciiWhitespace(&said);
  if (!ended) said = absl::StrCat("it did not start in time ", said);
  if (said.empty()) {
    said = absl::StrCat("it ended without a word, ",
                        WIFSIGNALED(status) ? absl::StrCat("by signal ", WTERMSIG(status))
                                            : absl::StrCat("with exit code ", WEXITSTATUS(status)),
                        "; install Guise again, or set GUISE_SERVER_PATH");
  }
  return absl::InternalError(absl::StrCat("cannot start the server ", *binary, ": ", said));
}

absl::StatusOr<OwnedFd> ConnectOrStartServer(const RuntimeDirectory& directory, const SignalState& signals,
                                             int idle_exit) {
  absl::StatusOr<OwnedFd> connection = ConnectToServer(directory);
  if (connection.ok() || !absl::IsUnavailable(connection.status())) return connection;
  // One starts, the others wait for it here.
  const absl::StatusOr<FileLock> starter = FileLock::Take(directory.StartLock());
  if (!starter.ok()) return starter.status();
  for (int i = 0; i < kTries; ++i) {
    connection = ConnectToServer(directory);
    if (connection.ok() || !absl::IsUnavailable(connection.status())) return connection;
    if (FileLock::Holder(directory.ServerLock()) == 0) {
      absl::Status started =
          StartServer({"--runtime-dir", directory.path(), "--idle-exit", absl::StrCat(idle_exit)}, signals);
      // Not if another took the lock in between.
      if (!started.ok() && FileLock::Holder(directory.ServerLock()) == 0) return started;
      continue;
    }
    nanosleep(&kBetweenTries, nullptr);
  }
  return absl::UnavailableError(absl::StrCat("the server (pid ", FileLock::Holder(directory.ServerLock()), ") holds ",
                                             directory.ServerLock(), " and does not listen at ",
                                             directory.ControlSocket(), "; end it with kill, then try again"));
}

}  // namespace guise::server
