#include "server/launch/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/reactor/owned_fd.h"
#include "server/reactor/pidfd.h"
#include "server/reactor/read_only_file.h"

namespace guise::server {
namespace {

bool Readable(int fd) {
  pollfd entry = {fd, POLLIN, 0};
  return poll(&entry, 1, 0) == 1 && entry.revents != 0;
}

// The server never writes to the connection after its answer, so readable means ended.
bool Ended(int connection) {
  char byte;
  const ssize_t length = recv(connection, &byte, 1, MSG_DONTWAIT);
  return length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR);
}

// Closes everything but the three; -1 is none.
void CloseAllBut(std::array<int, 3> all_kept) {
  unsigned first = 0;
  std::sort(all_kept.begin(), all_kept.end());
  for (const int kept : all_kept) {
    if (kept < 0) continue;
    const auto fd = static_cast<unsigned>(kept);
    if (fd > first) syscall(SYS_close_range, first, fd - 1, 0);
    first = fd + 1;
  }
  syscall(SYS_close_range, first, ~0u, 0);
}

void OpenNullAsStdio() {
  const int null = open("/dev/null", O_RDWR);
  if (null < 0) return;
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  if (null > 2) close(null);
}

}  // namespace

Keeper::Keeper(Attachment attachment, SessionMemory memory)
    : attachment_(std::move(attachment)),
      memory_(std::move(memory)),
      keeps_(static_cast<bool>(attachment_.reply_keeper)),
      panics_at_start_(memory_.PanicCount()) {}

absl::StatusOr<Keeper> Keeper::Start(Attachment attachment) {
  absl::StatusOr<SessionMemory> memory = SessionMemory::Map(attachment);
  if (!memory.ok()) return memory.status();
  Keeper keeper(std::move(attachment), *std::move(memory));
  keeper.reply_path_ = absl::StrCat("/proc/self/fd/", keeper.attachment_.reply_keeper.get());
  if (keeper.keeps_) {
    keeper.memory_.RaiseGeneration();
    keeper.memory_.SetServerAlive(true);
  }
  return keeper;
}

void Keeper::FillPoll(pollfd* fds) const {
  fds[0] = {died_ ? -1 : attachment_.server.get(), POLLIN, 0};
  fds[1] = {lost_ ? -1 : attachment_.connection.get(), POLLIN, 0};
}

void Keeper::Check() {
  if (!died_ && attachment_.server && Readable(attachment_.server.get())) died_ = lost_ = true;
  if (!lost_ && Ended(attachment_.connection.get())) {
    lost_ = true;
    died_ = !attachment_.server;  // no pidfd: the connection is the only sign there is
  }
  if (!lost_ || !keeps_) return;
  memory_.SetServerAlive(false);
  memory_.WakeWaitingGuests();
}

const char* Keeper::LossPolicyInWords() const {
  switch (memory_.LossPolicy()) {
    case wire::OnLoss::kNative:
      return "they run natively";
    case wire::OnLoss::kFail:
      return "they fail with EIO";
    case wire::OnLoss::kWait:
      break;
  }
  return "they wait for the next server";
}

bool Keeper::MayHaveGuests() const {
  const OwnedFd alone = OpenReadOnly(reply_path_);
  return !alone || !IsOnlyReader(alone.get());
}

void Keeper::KeepUntilGuestsEnd() {
  for (;;) {
    const pid_t guest = memory_.AnyLivingGuest(0);
    if (guest == 0 || (lost_ && !MayHaveGuests())) return;
    // One guest's end is enough to wait for: then the next is looked for.
    const OwnedFd watched = OpenPidfd(guest);
    pollfd fds[kPollFds + 1];
    FillPoll(fds);
    fds[kPollFds] = {watched.get(), POLLIN, 0};
    poll(fds, kPollFds + 1, watched ? PollTimeout() : kWakeMillis);
    Check();
  }
}

bool Keeper::LeaveCopy() {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child > 0) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  setsid();
  const pid_t grandchild = fork();
  if (grandchild != 0) _exit(grandchild > 0 ? 0 : 1);
  CloseAllBut({attachment_.connection.get(), attachment_.server.get(), attachment_.reply_keeper.get()});
  OpenNullAsStdio();
  if (chdir("/") != 0) _exit(1);
  prctl(PR_SET_NAME, "guise-keeper", 0, 0, 0);
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(SIGTERM, &action, nullptr);
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_UNBLOCK, &term, nullptr);
  KeepUntilGuestsEnd();
  _exit(0);
}

}  // namespace guise::server
