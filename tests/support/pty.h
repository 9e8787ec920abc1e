// A program under a terminal, driven as a person at the keyboard would.
#ifndef GUISE_TESTS_SUPPORT_PTY_H_
#define GUISE_TESTS_SUPPORT_PTY_H_

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/process.h"

namespace guise::tests {

class Terminal {
 public:
  // Starts `command` as leader of a session of its own, with the terminal as stdin, stdout and stderr. Its `input` and
  // `closed` are not used.
  static std::unique_ptr<Terminal> Start(const Command& command);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void Type(std::string_view keys);

  // Waits until the screen shows `text` behind what was awaited last; false when the patience is over or the terminal
  // was closed before.
  bool Await(std::string_view text);

  // Waits for the program's end: its exit code, or 128 + the signal's number; -1: it did not end.
  int Wait();

  // All that was shown.
  const std::string& screen() const { return screen_; }
  pid_t pid() const { return pid_; }

 private:
  Terminal() = default;
  bool Pump();

  pid_t pid_ = -1;
  int fd_ = -1;
  bool reaped_ = false;
  int64_t deadline_ = 0;
  std::size_t awaited_ = 0;
  std::string screen_;
};

}  // namespace guise::tests

#endif  // GUISE_TESTS_SUPPORT_PTY_H_
