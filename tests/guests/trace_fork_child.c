// Tracees by PTRACE_TRACEME whose tracers pass no signal on before they are where they want to be: at their exec, at
// a stop that they make themselves, or at a fault, which their handlers see only behind the tracer.
#include <sys/ptrace.h>

#include "tests/guests/guest.h"

extern char** environ;

static pid_t Fork(void (*child)(char**), char** argv) {
  const pid_t pid = fork();
  if (pid == 0) {
    child(argv);
    _exit(99);
  }
  CHECK(pid > 0);
  return pid;
}

// gdbserver, ltrace.
static void Execs(char** argv) {
  char* const again[] = {argv[0], "again", NULL};
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || setpgid(0, 0) != 0) _exit(90);
  for (int i = 0; i < 100; ++i) getppid();
  execve(argv[0], again, environ);
}

// strace, and programs that run themselves.
static void Stops(char** argv) {
  (void)argv;
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(90);
  if (getppid() == 1 || raise(SIGSTOP) != 0) _exit(91);
  _exit(7);
}

static void OnFault(int signal) { _exit(signal == SIGSEGV ? 7 : 95); }

// gdb, which so learns what a jump to memory without execute permission is.
static void Faults(char** argv) {
  (void)argv;
  if (signal(SIGSEGV, OnFault) == SIG_ERR || ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(90);
  int* volatile nowhere = (int*)8;
  *nowhere = 0;
}

// A program that does not want to be traced: once it is, nobody else can.
static void Refuses(char** argv) {
  (void)argv;
  // Each signal that it is sent, SIGCHLD too, would be a stop.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(90);
  for (int i = 0; i < 100; ++i) getppid();
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 || errno != EPERM) _exit(92);
  // Its own children are not.
  const pid_t child = fork();
  if (child == 0) _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 5 : 93);
  _exit(ExitOf(child) == 5 ? 7 : 94);
}

static int FirstStop(pid_t child) {
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFSTOPPED(status));
  return WSTOPSIG(status);
}

int main(int argc, char** argv) {
  if (argc > 1) return 7;
  const pid_t execs = Fork(Execs, argv);
  CHECK(FirstStop(execs) == SIGTRAP);
  CHECK(ptrace(PTRACE_DETACH, execs, NULL, NULL) == 0 && ExitOf(execs) == 7);
  const pid_t stops = Fork(Stops, argv);
  CHECK(FirstStop(stops) == SIGSTOP);
  CHECK(ptrace(PTRACE_DETACH, stops, NULL, NULL) == 0 && ExitOf(stops) == 7);
  const pid_t faults = Fork(Faults, argv);
  CHECK(FirstStop(faults) == SIGSEGV);
  siginfo_t info;
  CHECK(ptrace(PTRACE_GETSIGINFO, faults, NULL, &info) == 0);
  CHECK(info.si_code == SEGV_MAPERR && info.si_addr == (void*)8);
  CHECK(ptrace(PTRACE_DETACH, faults, NULL, (void*)SIGSEGV) == 0 && ExitOf(faults) == 7);
  CHECK(ExitOf(Fork(Refuses, argv)) == 7);
  return Pass();
}
