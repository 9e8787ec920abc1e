// Clocks go on and agree with the system calls; a sleep that is stopped and continued sleeps to its end.
#include <sys/time.h>
#include <time.h>

#include "tests/guests/guest.h"

static int64_t Nanos(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

int main(void) {
  for (int i = 0; i < 1000; ++i) {
    struct timespec first;
    struct timespec raw;
    struct timespec last;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &first) == 0);
    CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &raw) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &last) == 0);
    CHECK(Nanos(first) <= Nanos(raw) && Nanos(raw) <= Nanos(last));
    struct timeval day;
    CHECK(gettimeofday(&day, NULL) == 0 && llabs((long long)day.tv_sec - (long long)time(NULL)) <= 1);
  }
  const pid_t child = fork();
  if (child == 0) {
    const struct timespec length = {0, 300000000};
    struct timespec before;
    struct timespec after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK(nanosleep(&length, NULL) == 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK(Nanos(after) - Nanos(before) >= Nanos(length));
    _exit(3);
  }
  int status = 0;
  CHECK(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child);
  if (WIFSTOPPED(status)) {
    CHECK(kill(child, SIGCONT) == 0);
    CHECK(ExitOf(child) == 3);
  } else {
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
  }
  unsigned cpu = 9999;
  CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 && cpu < 9999);
  return Pass();
}
