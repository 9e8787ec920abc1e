#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/floor/confinement.h"

namespace guise::server {
namespace {

constexpr char kName[] = "guise-init";

// In place of the launcher's command line, which names what is hidden, and which all may read in /proc/1/cmdline. It is
// in the child of a process with threads: nothing here allocates.
void ShowOwnCommandLine() {
  char text[1024] = {};
  const int stat = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (stat < 0) return;
  [[maybe_unused]] const ssize_t size = read(stat, text, sizeof(text) - 1);
  close(stat);
  // ABI: proc_pid_stat(5): the second field is in parentheses, and the 48th and 49th are where the arguments lie.
  constexpr int kSecond = 2;
  constexpr int kArgStart = 48;
  char* at = strrchr(text, ')');
  for (int field = kSecond; at != nullptr && field < kArgStart; ++field) at = strchr(at + 1, ' ');
  if (at == nullptr) return;
  const auto start = static_cast<uintptr_t>(strtoul(at, &at, 10));
  const auto end = static_cast<uintptr_t>(strtoul(at, nullptr, 10));
  if (start == 0 || end < start + sizeof(kName)) return;
  char* const arguments = reinterpret_cast<char*>(start);
  memset(arguments, 0, end - start);
  memcpy(arguments, kName, sizeof(kName));
}

// Takes all that have died, and tells of the guest's stops. Returns the guest's exit code, or -1 while it lives.
int ReapAll(pid_t guest, int stops) {
  for (;;) {
    int status = 0;
    const pid_t changed = waitpid(-1, &status, WNOHANG | WUNTRACED);
    if (changed < 0 && errno == EINTR) continue;
    if (changed <= 0) return -1;
    if (changed != guest) continue;
    if (!WIFSTOPPED(status)) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    [[maybe_unused]] const ssize_t written = write(stops, "", 1);
  }
}

}  // namespace

void BeInit(pid_t guest, int stops, const GivenInput::Position& input) {
  prctl(PR_SET_NAME, kName, 0, 0, 0);
  ShowOwnCommandLine();
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    const int code = ReapAll(guest, stops);
    if (code >= 0) {
      input.GiveBack();
      _exit(code);
    }
    siginfo_t info;
    const int signal = sigwaitinfo(&all, &info);
    // What the terminal sends reaches the guest by itself. Who has no number here is outside; guests ask each other.
    const bool from_outside = info.si_code != SI_KERNEL && info.si_pid == 0;
    const bool for_group = info.si_code == SI_QUEUE && info.si_value.sival_int == kForGroup;
    if (signal > 0 && signal != SIGCHLD && from_outside) kill(for_group ? -guest : guest, signal);
  }
}

}  // namespace guise::server
