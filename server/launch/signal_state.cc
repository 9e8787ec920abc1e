#include "server/launch/signal_state.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace guise::server {
namespace {

// As the kernel takes it: libc keeps two signals to itself, refuses them in sigaction(3), and uses one of them as soon
// as there are threads. A program is to find them as they were all the same.
struct KernelAction {
  uint64_t handler;
  uint64_t flags;
  uint64_t restorer;
  uint64_t mask;
};

const uint64_t kDefault = reinterpret_cast<uint64_t>(SIG_DFL);
const uint64_t kIgnore = reinterpret_cast<uint64_t>(SIG_IGN);

bool KernelSigaction(int signal, const KernelAction* action, KernelAction* old) {
  return syscall(SYS_rt_sigaction, signal, action, old, sizeof(KernelAction::mask)) == 0;
}

constexpr uint64_t Bit(int signal) { return uint64_t{1} << (signal - 1); }

}  // namespace

SignalState SignalState::Capture() {
  SignalState state;
  for (int signal = 1; signal < NSIG; ++signal) {
    KernelAction action = {};
    if (KernelSigaction(signal, nullptr, &action) && action.handler == kIgnore) state.ignored_ |= Bit(signal);
  }
  sigprocmask(SIG_SETMASK, nullptr, &state.mask_);
  return state;
}

void SignalState::Restore() const {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    const KernelAction action = {(ignored_ & Bit(signal)) != 0 ? kIgnore : kDefault, 0, 0, 0};
    KernelSigaction(signal, &action, nullptr);
  }
  sigprocmask(SIG_SETMASK, &mask_, nullptr);
}

}  // namespace guise::server
