// A handler that interrupts a blocking call and leaves it by siglongjmp: the call is over, others work, two hundred
// times.
#include <setjmp.h>
#include <sys/time.h>

#include "tests/guests/guest.h"

static sigjmp_buf back;
static volatile sig_atomic_t armed;

static void Handler(int sig) {
  if (armed) siglongjmp(back, sig);
}

int main(void) {
  int fds[2];
  CHECK(pipe(fds) == 0);
  signal(SIGALRM, Handler);
  const struct itimerval every = {{0, 2000}, {0, 2000}};
  CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
  for (volatile int i = 0; i < 200; ++i) {
    char byte;
    struct stat status;
    if (sigsetjmp(back, 1) == 0) {
      armed = 1;
      const ssize_t got = read(fds[0], &byte, 1);
      CHECK(got == 12345);
    }
    armed = 0;
    CHECK(stat("/", &status) == 0);
    CheckInside();
  }
  return Pass();
}
