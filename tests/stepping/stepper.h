// A guest under ptrace(2): stepped instruction by instruction, sent signals, let run to its next mark (int3).
//
// REQUIRES, of every function: called on the thread that made the object.
#ifndef GUISE_TESTS_STEPPING_STEPPER_H_
#define GUISE_TESTS_STEPPING_STEPPER_H_

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <optional>

namespace guise::tests {

class Stepper {
 public:
  enum class Stop {
    kStepped,  // one instruction further
    kMark,     // an int3 has been executed
    kBreak,    // it stands at the breakpoint
    kForked,   // its child is traced too: child()
    kEnded,    // it exited or was killed
  };
  enum class Children { kLeft, kTraced };

  // Begins to trace a process, which goes on running; nullopt: errno of ptrace(2).
  static std::optional<Stepper> Seize(pid_t pid, Children children);
  // A child that another one told of, from its first stop on.
  static Stepper Adopt(pid_t child);

  pid_t pid() const { return pid_; }
  pid_t child() const { return child_; }

  // Of one that runs: waits for its next mark, fork or end. Signals reach it.
  Stop Await() { return Wait(kRun); }
  // Of one that stands.
  Stop Run();
  Stop Step() { return Go(kStep, 0); }
  // One breakpoint; 0: none. In a debug register, or, on virtual machines that have none that work, as an int3 in the
  // shim's text, or by stepping.
  void SetBreakpoint(uint64_t rip);
  // Of one that forks: a child inherits an int3, so none is used.
  void KeepTextClean() { keeps_text_ = true; }
  // Sends a signal to its thread; it arrives when the tracee goes on.
  void Send(int signal) const;
  user_regs_struct Registers() const;
  void SetR10(uint64_t value) const;
  // How many slots the guests of its session hold; nullopt: it is in no session.
  std::optional<int> HeldSlots() const;

 private:
  enum Way { kRun, kStep };
  explicit Stepper(pid_t pid) : pid_(pid) {}
  enum class Breakpoint { kNone, kRegister, kText, kStepped };
  Stop Go(Way way, int signal);
  Stop Wait(Way way);
  Stop StepToBreakpoint();
  // errno of ptrace(2).
  int SetRegister(uint64_t rip) const;
  // False: it cannot be written.
  bool WriteText(uint64_t rip, uint8_t byte) const;
  // Whether debug registers stop anybody here.
  static bool RegistersWork();

  pid_t pid_;
  Breakpoint breakpoint_ = Breakpoint::kNone;
  uint64_t breakpoint_rip_ = 0;
  uint8_t breakpoint_byte_ = 0;  // kText: what was there
  bool keeps_text_ = false;
  pid_t child_ = 0;
  int status_ = 0;    // of waitpid(2)
  bool own_ = false;  // a child of this process
};

}  // namespace guise::tests

#endif  // GUISE_TESTS_STEPPING_STEPPER_H_
