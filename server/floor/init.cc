#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/floor/confinement.h"

namespace guise::server {
namespace {

// Takes all that have died. Returns the guest's exit code, or -1 while it lives.
int ReapAll(pid_t guest) {
  for (;;) {
    int status = 0;
    const pid_t dead = waitpid(-1, &status, WNOHANG);
    if (dead < 0 && errno == EINTR) continue;
    if (dead <= 0) return -1;
    if (dead == guest) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}

}  // namespace

void BeInit(pid_t guest) {
  prctl(PR_SET_NAME, "guise-init", 0, 0, 0);
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    const int code = ReapAll(guest);
    if (code >= 0) _exit(code);
    siginfo_t info;
    const int signal = sigwaitinfo(&all, &info);
    // What the terminal sends reaches the guest by itself.
    if (signal > 0 && signal != SIGCHLD && info.si_code != SI_KERNEL) kill(guest, signal);
  }
}

}  // namespace guise::server
