#include "server/launch/signal_state.h"

namespace guise::server {

SignalState SignalState::Capture() {
  SignalState state;
  sigemptyset(&state.ignored_);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) sigaddset(&state.ignored_, signal);
  }
  sigprocmask(SIG_SETMASK, nullptr, &state.mask_);
  return state;
}

void SignalState::Restore() const {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    struct sigaction action = {};
    action.sa_handler = sigismember(&ignored_, signal) == 1 ? SIG_IGN : SIG_DFL;
    sigaction(signal, &action, nullptr);  // refused for the two signals that libc keeps to itself
  }
  sigprocmask(SIG_SETMASK, &mask_, nullptr);
}

}  // namespace guise::server
