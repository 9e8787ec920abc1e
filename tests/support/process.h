// Starting programs, talking to them, and taking down what they said and how they ended.
//
// A deadline here is a safety net, never an assertion: what passes it is killed with all its descendants, and the
// result says so, with what each of them was doing.
#ifndef GUISE_TESTS_SUPPORT_PROCESS_H_
#define GUISE_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/account.h"

namespace guise::tests {

inline constexpr int kPatienceSeconds = 120;

struct Command {
  std::vector<std::string> argv;  // argv[0] is looked up in /usr/local/bin, /usr/bin, /bin, /usr/sbin, /sbin
  std::vector<std::string> env;   // all of it, NAME=value; see BaseEnvironment
  std::string cwd = "/";
  Account account = Self();
  std::string input;             // on stdin, then end of file
  bool keep_stdin_open = false;  // for Process::Write; `input` is sent first
  std::vector<int> closed;       // of 0, 1, 2: not open in the program
  int patience_seconds = kPatienceSeconds;
};

// PATH, LC_ALL=C, TERM=dumb, HOME and TMPDIR.
std::vector<std::string> BaseEnvironment(const std::string& home);

struct RunResult {
  int exit_code = -1;  // -1: ended by a signal
  int signal = 0;      // 0: exited
  bool timed_out = false;
  std::string out;
  std::string err;
  std::string stuck;  // timed_out: the descendants and where they waited

  bool ok() const { return exit_code == 0 && !timed_out; }
};

std::ostream& operator<<(std::ostream& out, const RunResult& result);

// A program that runs. Not thread-safe. What it writes to stdout and stderr is collected whenever a method waits.
class Process {
 public:
  // Starts `command`; a program that cannot be started gives a process that exits with 127 and the reason on stderr.
  static std::unique_ptr<Process> Start(const Command& command);

  // Kills what still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& out() const { return result_.out; }
  const std::string& err() const { return result_.err; }

  void Write(std::string_view text);
  void CloseInput();

  // Waits until stdout holds `text` (from the start of what has not been awaited yet); false: the program ended or the
  // patience was over first. Later calls look behind the text found.
  bool AwaitOutput(std::string_view text);

  void Signal(int signal) const;

  // Waits for the end of the program and of its output. Call once.
  RunResult Wait();

  // Like Wait, but does not wait for others that hold stdout and stderr open.
  RunResult WaitForExitOnly();

 private:
  Process() = default;
  // Reads what is there; waits up to a tenth of a second for more. False: both pipes are at their end.
  bool Pump();
  bool Exited();
  bool Late() const;
  void GiveUp();

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  int64_t deadline_ = 0;
  std::size_t awaited_ = 0;
  std::string unsent_;
  bool keep_stdin_open_ = false;
  RunResult result_;
};

// Starts and waits.
RunResult RunToEnd(const Command& command);

// Running descendants of a process, itself first. Of a process that has ended: those that /proc still shows as its.
std::vector<pid_t> Descendants(pid_t root);

// One line a process: pid, name, state, where it waits in the kernel.
std::string Describe(const std::vector<pid_t>& pids);

// A text file's contents; empty when it cannot be read.
std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, std::string_view contents, mode_t mode = 0644);

// Asks `condition` again and again, a hundredth of a second apart, until it holds or the patience is over.
template <typename Condition>
bool Eventually(Condition condition, int patience_seconds = kPatienceSeconds);

int64_t NowNanos();
// Multiplied by GUISE_TEST_PATIENCE_FACTOR, for machines that are slow.
int64_t PatienceNanos(int seconds);
void Nap();  // a hundredth of a second, between two looks at something that gives no notice

template <typename Condition>
bool Eventually(Condition condition, int patience_seconds) {
  const int64_t deadline = NowNanos() + PatienceNanos(patience_seconds);
  while (!condition()) {
    if (NowNanos() > deadline) return false;
    Nap();
  }
  return true;
}

}  // namespace guise::tests

#endif  // GUISE_TESTS_SUPPORT_PROCESS_H_
