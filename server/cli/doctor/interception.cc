// Catching syscalls, and starting programs through an image of ours.
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

#include "server/cli/doctor/probe.h"
#include "server/cli/doctor/probes.h"
#include "server/reactor/owned_fd.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif

namespace guise::server {
namespace {

volatile char selector = 0;             // 0: allow, 1: dispatch
volatile sig_atomic_t caught_call = 0;  // its number

void OnSigsys(int, siginfo_t* info, void*) {
  selector = 0;
  caught_call = info->si_syscall;
}

// Arms, calls, and sees whether the call came as a signal.
int ArmAndCall() {
  struct sigaction action = {};
  action.sa_sigaction = OnSigsys;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, SIGSYS);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
  if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector) != 0) return errno;
  selector = 1;
  syscall(SYS_getppid);
  selector = 0;
  return caught_call == SYS_getppid ? 0 : ENOTSUP;
}

int ExecuteByPathFd() {
  const int image = open("/proc/self/exe", O_PATH | O_CLOEXEC);
  if (image < 0) return errno;
  char name[sizeof(kProbeName)];
  memcpy(name, kProbeName, sizeof(name));
  char* const arguments[] = {name, nullptr};
  syscall(SYS_execveat, image, "", arguments, environ, AT_EMPTY_PATH);
  return errno;
}

// Sets the process's memory map to what it is already.
int SetMemoryMap() {
  // ABI: proc_pid_stat(5): fields 26-28 and 45-51, counted from 1.
  FILE* file = fopen("/proc/self/stat", "re");
  if (file == nullptr) return errno;
  char text[2048];
  const size_t length = fread(text, 1, sizeof(text) - 1, file);
  fclose(file);
  text[length] = '\0';
  uint64_t fields[53] = {};
  const char* at = strrchr(text, ')');
  if (at == nullptr || strlen(at) < 4) return EINVAL;
  at += 4;  // ") S "
  for (int field = 4; field <= 52; ++field) {
    int used = 0;
    unsigned long long value = 0;  // NOLINT(google-runtime-int): what sscanf takes
    if (sscanf(at, "%llu%n", &value, &used) < 1) return EINVAL;
    fields[field] = value;
    at += used;
  }
  prctl_mm_map map = {};
  map.start_code = fields[26];
  map.end_code = fields[27];
  map.start_stack = fields[28];
  map.start_data = fields[45];
  map.end_data = fields[46];
  map.start_brk = fields[47];
  map.brk = reinterpret_cast<uint64_t>(sbrk(0));
  map.arg_start = fields[48];
  map.arg_end = fields[49];
  map.env_start = fields[50];
  map.env_end = fields[51];
  map.exe_fd = static_cast<uint32_t>(-1);
  return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) == 0 ? 0 : errno;
}

// What rewriting call sites takes: writing to text, and making other threads see it.
int WriteText() {
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) != 0) return errno;
  const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const text = mmap(nullptr, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (text == MAP_FAILED) return errno;
  const OwnedFd memory(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
  if (!memory) return errno;
  constexpr char kByte = 1;
  const auto at = reinterpret_cast<off_t>(text);
  if (pwrite(memory.get(), &kByte, sizeof(kByte), at) != sizeof(kByte)) return errno;
  return *static_cast<const volatile char*>(text) == kByte ? 0 : ENOTSUP;
}

}  // namespace

std::vector<Finding> ProbeInterception() {
  std::vector<Finding> findings;
  findings.push_back(FindingOf("Syscall User Dispatch", TryInChild(ArmAndCall), "a call was caught",
                               Severity::kRequired, "use Linux 5.11 or later on x86_64 with CONFIG_GENERIC_ENTRY"));
  findings.push_back(FindingOf("rewriting call sites", TryInChild(WriteText), "text was written", Severity::kDegraded,
                               "each call costs a signal, at least in programs with threads; mount /proc, and use a "
                               "kernel with CONFIG_MEMBARRIER"));
  // The exec replaces the child, so success shows as the probe's exit code.
  Trial exec = TryInChild(ExecuteByPathFd);
  exec.error = exec.error == kProbeExit ? 0 : exec.error == 0 ? ENOEXEC : exec.error;
  findings.push_back(
      FindingOf("execveat of a path fd", exec, "executed", Severity::kRequired,
                "programs are started through it; allow execveat in the seccomp profile and mount /proc"));
  findings.push_back(FindingOf(
      "PR_SET_MM_MAP", TryInChild(SetMemoryMap), "set", Severity::kDegraded,
      "gdb, core files and /proc/PID/environ see the shim's loader; use a kernel with CONFIG_CHECKPOINT_RESTORE"));
  return findings;
}

}  // namespace guise::server
