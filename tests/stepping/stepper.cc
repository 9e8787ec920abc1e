#include "tests/stepping/stepper.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "proto/wire/layout.h"
#include "proto/wire/published.h"
#include "proto/wire/request.h"

namespace guise::tests {
namespace {

// Where a memory of the session begins in the guest; 0: nowhere.
uint64_t Mapped(pid_t pid, const std::string& name) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(name) != std::string::npos && line.find(" 00000000 ") != std::string::npos) {
      return std::stoull(line, nullptr, 16);
    }
  }
  return 0;
}

// An fd of the process's memory, for pread and pwrite; -1: errno.
int OpenMemory(pid_t pid, int access) {
  return open(("/proc/" + std::to_string(pid) + "/mem").c_str(), access | O_CLOEXEC);
}

template <typename Group>
std::unique_ptr<Group> Peek(int memory, uint64_t address) {
  static_assert(sizeof(Group) == wire::kPageSize);
  auto group = std::make_unique<Group>();
  const ssize_t size = pread(memory, static_cast<void*>(group.get()), sizeof(Group), static_cast<off_t>(address));
  return size == sizeof(Group) ? std::move(group) : nullptr;
}

constexpr uint8_t kInt3 = 0xcc;

// What the registers are tried on.
__attribute__((noinline)) void Landmark() { __asm__ volatile("" ::: "memory"); }

// A byte of text that is not the program's own, which the shim reads: nullopt there.
std::optional<uint8_t> ShimText(pid_t pid, uint64_t rip) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    char dash = 0;
    uint64_t start = 0;
    uint64_t end = 0;
    std::istringstream(line) >> std::hex >> start >> dash >> end;
    if (rip < start || rip >= end) continue;
    if (line.find("stepped") != std::string::npos) return std::nullopt;
    uint8_t byte = 0;
    const int memory = OpenMemory(pid, O_RDONLY);
    const bool read = pread(memory, &byte, sizeof(byte), static_cast<off_t>(rip)) == sizeof(byte);
    close(memory);
    return read ? std::optional(byte) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Stepper> Stepper::Seize(pid_t pid, Children children) {
  const long options = children == Children::kTraced ? PTRACE_O_TRACEFORK : 0;
  siginfo_t info;
  const bool own = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
  if (ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_EXITKILL | options) != 0) return std::nullopt;
  Stepper stepper(pid);
  stepper.own_ = own;
  return stepper;
}

Stepper Stepper::Adopt(pid_t child) {
  Stepper stepper(child);
  waitpid(child, &stepper.status_, __WALL);
  return stepper;
}

Stepper::Stop Stepper::Go(Way way, int signal) {
  // One that is being killed cannot be resumed; its end is waited for all the same.
  ptrace(way == kStep ? PTRACE_SINGLESTEP : PTRACE_CONT, pid_, nullptr, static_cast<long>(signal));
  return Wait(way);
}

Stepper::Stop Stepper::Wait(Way way) {
  while (true) {
    siginfo_t info = {};
    if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WSTOPPED | WNOWAIT | __WALL) != 0) return Stop::kEnded;
    const bool ended = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
    // A child of this process is left to whoever started it; another's parent waits until the tracer has.
    if (ended && own_) return Stop::kEnded;
    waitpid(pid_, &status_, __WALL);
    if (ended) return Stop::kEnded;
    const int signal = WSTOPSIG(status_);
    const int event = status_ >> 16;
    if (event == PTRACE_EVENT_FORK) {
      unsigned long child = 0;
      ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &child);
      child_ = static_cast<pid_t>(child);
      return Stop::kForked;
    }
    int handed_on = event == 0 ? signal : 0;
    if (signal == SIGTRAP && event == 0) {
      ptrace(PTRACE_GETSIGINFO, pid_, nullptr, &info);
      if (info.si_code == SI_KERNEL) {
        user_regs_struct registers = Registers();
        if (breakpoint_ != Breakpoint::kText || registers.rip != breakpoint_rip_ + 1) return Stop::kMark;
        registers.rip = breakpoint_rip_;
        ptrace(PTRACE_SETREGS, pid_, nullptr, &registers);
        return Stop::kBreak;
      }
      if (way == kStep) return Stop::kStepped;
      if (info.si_code == TRAP_HWBKPT) return Stop::kBreak;
      handed_on = 0;
    }
    const auto request = way == kStep ? PTRACE_SINGLESTEP : PTRACE_CONT;
    ptrace(request, pid_, nullptr, static_cast<long>(handed_on));
  }
}

Stepper::Stop Stepper::Run() {
  switch (breakpoint_) {
    case Breakpoint::kStepped:
      return StepToBreakpoint();
    case Breakpoint::kText:
      if (Registers().rip == breakpoint_rip_) {
        // Over it, and again.
        WriteText(breakpoint_rip_, breakpoint_byte_);
        const Stop stop = Step();
        if (stop != Stop::kStepped) return stop;
        WriteText(breakpoint_rip_, kInt3);
      }
      return Go(kRun, 0);
    case Breakpoint::kNone:
    case Breakpoint::kRegister:
      break;
  }
  return Go(kRun, 0);
}

Stepper::Stop Stepper::StepToBreakpoint() {
  uint64_t last = Registers().rip;
  while (true) {
    const Stop stop = Step();
    if (stop != Stop::kStepped) return stop;
    const uint64_t rip = Registers().rip;
    // An instruction that repeats itself is one place.
    if (rip == breakpoint_rip_ && rip != last) return Stop::kBreak;
    last = rip;
  }
}

void Stepper::SetBreakpoint(uint64_t rip) {
  if (breakpoint_ == Breakpoint::kRegister) SetRegister(0);
  if (breakpoint_ == Breakpoint::kText) WriteText(breakpoint_rip_, breakpoint_byte_);
  breakpoint_ = Breakpoint::kNone;
  breakpoint_rip_ = rip;
  if (rip == 0) return;
  if (RegistersWork() && SetRegister(rip) == 0) {
    breakpoint_ = Breakpoint::kRegister;
  } else if (const auto byte = ShimText(pid_, rip); !keeps_text_ && byte.has_value() && WriteText(rip, kInt3)) {
    breakpoint_ = Breakpoint::kText;
    breakpoint_byte_ = *byte;
  } else {
    breakpoint_ = Breakpoint::kStepped;
  }
}

bool Stepper::WriteText(uint64_t rip, uint8_t byte) const {
  const int memory = OpenMemory(pid_, O_RDWR);
  const bool written = pwrite(memory, &byte, sizeof(byte), static_cast<off_t>(rip)) == sizeof(byte);
  close(memory);
  return written;
}

bool Stepper::RegistersWork() {
  static const bool kWork = [] {
    const pid_t child = fork();
    if (child == 0) {
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      raise(SIGSTOP);
      Landmark();
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    const Stepper stepper(child);
    const bool set = stepper.SetRegister(reinterpret_cast<uint64_t>(&Landmark)) == 0;
    ptrace(PTRACE_CONT, child, nullptr, nullptr);
    waitpid(child, &status, 0);
    const bool works = set && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
    if (WIFSTOPPED(status)) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
    }
    return works;
  }();
  return kWork;
}

int Stepper::SetRegister(uint64_t rip) const {
  constexpr uint64_t kLocalExecute0 = 1;
  const auto set = [this](int index, uint64_t value) {
    const uint64_t offset = offsetof(user, u_debugreg) + static_cast<uint64_t>(index) * sizeof(value);
    return ptrace(PTRACE_POKEUSER, pid_, offset, value) == 0 ? 0 : errno;
  };
  if (const int error = set(7, 0); error != 0 || rip == 0) return error;
  if (const int error = set(0, rip); error != 0) return error;
  return set(7, kLocalExecute0);
}

void Stepper::Send(int signal) const { syscall(SYS_tgkill, pid_, pid_, signal); }

user_regs_struct Stepper::Registers() const {
  user_regs_struct registers = {};
  ptrace(PTRACE_GETREGS, pid_, nullptr, &registers);
  return registers;
}

void Stepper::SetR10(uint64_t value) const {
  user_regs_struct registers = Registers();
  registers.r10 = value;
  ptrace(PTRACE_SETREGS, pid_, nullptr, &registers);
}

std::optional<int> Stepper::HeldSlots() const {
  const uint64_t request = Mapped(pid_, "guise-request");
  const uint64_t reply = Mapped(pid_, "guise-reply");
  const int memory = OpenMemory(pid_, O_RDONLY);
  std::optional<int> held;
  const auto root = Peek<wire::RequestGroup>(memory, request);
  if (root != nullptr && request != 0 && reply != 0) {
    held = 0;
    for (uint32_t g = 0; g < root->root.header.groups_used.Relaxed(); ++g) {
      const auto group = Peek<wire::RequestGroup>(memory, request + g * wire::kPageSize);
      const auto answers = Peek<wire::ReplyGroup>(memory, reply + g * wire::kPageSize);
      if (group == nullptr || answers == nullptr) break;
      for (uint32_t i = 0; i < wire::kSlotsPerGroup; ++i) {
        *held += wire::IsHeld(group->slots[i].run.owner.Relaxed(), answers->reclaimed_slots[i].Relaxed());
      }
    }
  }
  close(memory);
  return held;
}

}  // namespace guise::tests
