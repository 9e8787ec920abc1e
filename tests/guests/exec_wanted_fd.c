// While a thread takes numbers of fds for its own, others make children that execute programs: each child is there.
#include <pthread.h>

#include "tests/guests/guest.h"

enum { kMakers = 2, kChildren = 4, kRounds = 150 };

extern char** environ;
static const char* self;
static volatile int makers_left = kMakers;

static __attribute__((noinline)) pid_t MakeChild(int is_vfork) {
  char* const argv[] = {(char*)(uintptr_t)self, (char*)"child", NULL};
  const pid_t child = is_vfork ? vfork() : fork();
  if (child == 0) {
    execve(self, argv, environ);
    _exit(1);
  }
  return child;
}

static void* Make(void* argument) {
  for (int i = 0; i < kChildren; ++i) CHECK(ExitOf(MakeChild(i % 2)) == 7);
  __sync_fetch_and_sub(&makers_left, 1);
  return argument;
}

// In a process whose fds are where they were at the start.
static void Round(void) {
  pthread_t makers[kMakers];
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  CHECK(null >= 0);
  for (int i = 0; i < kMakers; ++i) CHECK(pthread_create(&makers[i], NULL, Make, NULL) == 0);
  for (int wanted = 200; wanted < 1000 && makers_left > 0; ++wanted) {
    CHECK(dup3(null, wanted, O_CLOEXEC) == wanted);
    CHECK(close(wanted) == 0);
  }
  for (int i = 0; i < kMakers; ++i) CHECK(pthread_join(makers[i], NULL) == 0);
}

int main(int argc, char** argv) {
  if (argc == 2) {
    CheckInside();
    return 7;
  }
  self = argv[0];
  for (int i = 0; i < kRounds; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      Round();
      _exit(8);
    }
    CHECK(ExitOf(child) == 8);
  }
  return Pass();
}
