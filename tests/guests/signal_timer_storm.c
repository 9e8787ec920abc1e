// A thousand timer signals, floating point in the program and in the handler: nobody disturbs the other's state.
#include <sys/time.h>

#include "tests/guests/guest.h"

static volatile sig_atomic_t count;
static volatile double spoiled;

static void Handler(int sig) {
  double value = sig;
  for (int i = 0; i < 20; ++i) value = value * 1.5 + i;
  spoiled = value;
  struct stat status;
  CHECK(stat("/", &status) == 0);
  ++count;
}

static double Work(void) {
  double sum = 0;
  for (int i = 1; i <= 1000; ++i) sum += 1.0 / i * (i % 2 == 0 ? -1.0 : 1.0);
  return sum;
}

int main(void) {
  const double expected = Work();
  struct sigaction action = {.sa_handler = Handler, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  const struct itimerval every = {{0, 500}, {0, 500}};
  CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
  while (count < 1000) {
    CHECK(Work() == expected);
    CheckInside();
    struct stat status;
    CHECK(stat("/no such file", &status) == -1 && errno == ENOENT);
  }
  const struct itimerval none = {{0, 0}, {0, 0}};
  CHECK(setitimer(ITIMER_REAL, &none, NULL) == 0);
  signal(SIGALRM, Handler);
  CHECK(alarm(100) == 0 && alarm(0) > 0);
  return Pass();
}
