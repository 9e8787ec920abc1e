#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/floor/confinement.h"

namespace guise::server {
namespace {

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

void BeInit(pid_t guest, int stops) {
  prctl(PR_SET_NAME, "guise-init", 0, 0, 0);
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    const int code = ReapAll(guest, stops);
    if (code >= 0) _exit(code);
    siginfo_t info;
    const int signal = sigwaitinfo(&all, &info);
    // What the terminal sends reaches the guest by itself. Who has no number here is outside; guests ask each other.
    const bool from_outside = info.si_code != SI_KERNEL && info.si_pid == 0;
    const bool for_group = info.si_code == SI_QUEUE && info.si_value.sival_int == kForGroup;
    if (signal > 0 && signal != SIGCHLD && from_outside) kill(for_group ? -guest : guest, signal);
  }
}

}  // namespace guise::server
