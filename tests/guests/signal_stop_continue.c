// Stopped and continued while it sleeps, a program sleeps on for what is left, not for the whole time again; a signal
// with a handler then ends the sleep, and says how much was left.
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

#include "tests/guests/guest.h"

static void Handler(int signal) { (void)signal; }

static long long Now(void) {
  struct timespec now;
  CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void AwaitState(pid_t pid, char state) {
  char path[64];
  char line[512];
  snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  for (int calm = 0; calm < 3;) {
    const int fd = open(path, O_RDONLY);
    const ssize_t size = read(fd, line, sizeof(line) - 1);
    CHECK(size > 0);
    line[size] = 0;
    close(fd);
    calm = strrchr(line, ')')[2] == state ? calm + 1 : 0;
    usleep(1000);
  }
}

int main(void) {
  signal(SIGUSR1, Handler);
  const struct timespec whole = {1000, 0};
  for (int call = 0; call < 4; ++call) {
    int told[2];
    CHECK(pipe(told) == 0);
    const pid_t child = fork();
    if (child == 0) {
      struct timespec left = {0, 0};
      int word = 0;
      if (call == 0) FAILS(nanosleep(&whole, &left), EINTR);
      if (call == 1) CHECK(clock_nanosleep(CLOCK_BOOTTIME, 0, &whole, &left) == EINTR);
      if (call == 2) FAILS(poll(NULL, 0, 1000000), EINTR);
      if (call == 3) FAILS(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &whole, NULL, 0), EINTR);
      const long long rest = left.tv_sec * 1000000000LL + left.tv_nsec;
      CHECK(write(told[1], &rest, sizeof(rest)) == sizeof(rest));
      _exit(5);
    }
    int status;
    AwaitState(child, 'S');
    const long long before = Now();
    const struct timespec moment = {0, 200000000};
    CHECK(nanosleep(&moment, NULL) == 0);
    const long long slept = Now() - before;
    CHECK(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    CHECK(kill(child, SIGCONT) == 0);
    AwaitState(child, 'S');
    CHECK(kill(child, SIGUSR1) == 0);
    long long rest;
    CHECK(read(told[0], &rest, sizeof(rest)) == sizeof(rest) && ExitOf(child) == 5);
    // Were the time to start again at the stop, more would be left than the whole without what passed before it.
    if (call < 2) CHECK(rest > 0 && rest <= 1000000000000LL - slept);
    close(told[0]);
    close(told[1]);
  }
  return Pass();
}
