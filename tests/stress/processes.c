// Children: of fork, vfork, clone and exec, what they tell, and how they end.
#include <pthread.h>
#include <sched.h>
#include <spawn.h>

#include "tests/stress/stress.h"

extern char** environ;

enum { kChildStack = 65536 };

static void FoldEnd(struct Stream* stream, pid_t child) {
  int status = 0;
  CHECK(child > 0);
  CHECK(CALL(stream, wait4, child, P(&status), __WALL, 0) == child);
  Fold(stream, (uint64_t)status);
}

// A child that goes on with the stream, in a copy of all it has.
static void Fork(struct Stream* stream) {
  int ends[2];
  uint64_t sum = 0;
  const uint64_t steps = Below(stream, 12);
  LockForks(stream);
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  pid_t child;
  switch (Below(stream, 4)) {
    case 0:
      child = (pid_t)CALL(stream, fork, 0);
      break;
    case 1:
      child = (pid_t)CALL(stream, clone, SIGCHLD, 0, 0, 0, 0);
      break;
    default:
      child = fork();
  }
  if (child == 0) {
    stream->depth = 1;
    Walk(stream, steps);
    CHECK(write(ends[1], &stream->sum, sizeof(stream->sum)) == sizeof(stream->sum));
    _exit((int)(stream->sum & 63));
  }
  CHECK(close(ends[1]) == 0 && read(ends[0], &sum, sizeof(sum)) == sizeof(sum) && close(ends[0]) == 0);
  Fold(stream, sum);
  FoldEnd(stream, child);
  UnlockEnds(stream);
}

static void Vfork(struct Stream* stream) {
  const int code = (int)Below(stream, 256);
  const int is_lost = (int)Below(stream, 3) == 0;
  char* const argv[] = {(char*)"true", NULL};
  LockForks(stream);
  const pid_t child = vfork();
  if (child == 0) {
    if (is_lost) execve("/nonexistent/program", argv, environ);
    _exit(code);
  }
  FoldEnd(stream, child);
  UnlockEnds(stream);
}

struct Start {
  struct Stream* stream;
  char** argv;
  const char* directory;
  int out;
  int way;
};

static int Execute(void* argument) {
  const struct Start* const start = argument;
  if (dup2(start->out, 1) != 1 || chdir(start->directory) != 0) _exit(101);
  if (start->way == 0) {
    const int program = open(start->stream->program, O_PATH | O_CLOEXEC);
    syscall(SYS_execveat, program, "", start->argv, environ, AT_EMPTY_PATH);
  }
  execve(start->stream->program, start->argv, environ);
  _exit(102);
}

static void* ExecuteOnThread(void* argument) {
  Execute(argument);
  return NULL;
}

// A walk of its own in a process of its own.
static void Exec(struct Stream* stream) {
  static char stacks[kMaxStreams][kChildStack] __attribute__((aligned(16)));
  char seed[24], steps[24], directory[24], line[64] = {0};
  int ends[2];
  snprintf(seed, sizeof(seed), "%lu", Random(stream));
  snprintf(steps, sizeof(steps), "%lu", Below(stream, 30));
  snprintf(directory, sizeof(directory), "s%d/inner", stream->number);
  char* argv[] = {(char*)(uintptr_t)stream->program, seed, steps, (char*)"0", NULL};
  CHECK(mkdir(directory, 0755) == 0);
  LockForks(stream);
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  struct Start start = {stream, argv, directory, ends[1], (int)Below(stream, 2)};
  pid_t child;
  switch (Below(stream, 4)) {
    case 0:
      child = vfork();
      if (child == 0) Execute(&start);
      break;
    case 1:
      child = clone(Execute, stacks[stream->number] + kChildStack, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
      break;
    case 2:
      child = fork();
      if (child == 0) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, ExecuteOnThread, &start) == 0);
        pthread_join(thread, NULL);
        _exit(103);
      }
      break;
    default:
      child = fork();
      if (child == 0) Execute(&start);
  }
  CHECK(close(ends[1]) == 0);
  ssize_t size = 0;
  for (ssize_t got; (got = read(ends[0], line + size, sizeof(line) - (size_t)size)) > 0;) size += got;
  FoldBytes(stream, line, (size_t)size);
  FoldEnd(stream, child);
  CHECK(close(ends[0]) == 0);
  UnlockEnds(stream);
  CHECK(rmdir(directory) == 0);
}

static void Kill(struct Stream* stream) {
  static const int kSignals[] = {SIGKILL, SIGTERM, SIGUSR1, SIGALRM, SIGQUIT, SIGABRT};
  const int signal = kSignals[Below(stream, 6)];
  const int is_stopped = (int)Below(stream, 2);
  int status = 0;
  LockForks(stream);
  const pid_t child = fork();
  if (child == 0) {
    for (;;) CALL(stream, pause, 0);
  }
  CHECK(child > 0);
  Fold(stream, (uint64_t)CALL(stream, wait4, child, P(&status), WNOHANG, 0));
  if (is_stopped) {
    Fold(stream, (uint64_t)CALL(stream, kill, child, SIGSTOP));
    CHECK(CALL(stream, wait4, child, P(&status), WUNTRACED, 0) == child);
    Fold(stream, (uint64_t)status);
    Fold(stream, (uint64_t)CALL(stream, kill, child, SIGCONT));
    CHECK(CALL(stream, wait4, child, P(&status), WCONTINUED, 0) == child);
    Fold(stream, (uint64_t)status);
  }
  Fold(stream, (uint64_t)CALL(stream, kill, child, signal));
  siginfo_t info = {0};
  Fold(stream, (uint64_t)CALL(stream, waitid, P_PID, child, P(&info), WEXITED | WNOWAIT, 0));
  Fold(stream, (uint64_t)info.si_status + ((uint64_t)info.si_code << 8));
  CHECK(CALL(stream, wait4, child, P(&status), 0, 0) == child);
  Fold(stream, (uint64_t)(status & 0x7f));
  Fold(stream, (uint64_t)CALL(stream, kill, child, 0));
  UnlockEnds(stream);
}

const struct Operation kProcessOperations[] = {
    {"fork", Fork, 10, 1}, {"vfork", Vfork, 8, 1}, {"exec", Exec, 3, 1}, {"kill", Kill, 4, 1}, {0},
};
