// The signal dispositions and mask that a process was started with, to be handed on to the program it starts.
#ifndef GUISE_SERVER_LAUNCH_SIGNAL_STATE_H_
#define GUISE_SERVER_LAUNCH_SIGNAL_STATE_H_

#include <signal.h>

#include <cstdint>

namespace guise::server {

// exec(2) keeps ignored signals ignored and resets handlers, so one bit a signal is all there is to keep.
class SignalState {
 public:
  // The calling process's. To be called first thing in main, before anything changes them.
  static SignalState Capture();

  // Sets dispositions and mask as captured. Async-signal-safe: for a child between fork and exec.
  void Restore() const;

  bool Ignored(int signal) const { return (ignored_ >> (signal - 1) & 1) != 0; }
  const sigset_t& mask() const { return mask_; }

 private:
  uint64_t ignored_ = 0;  // bit n - 1: signal n
  sigset_t mask_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_SIGNAL_STATE_H_
