// Threads that come and go by the thousand: their records are given back.
#include <pthread.h>

#include "tests/guests/guest.h"

static void* Work(void* argument) {
  CHECK(RawUid() == ExpectedUid());
  return argument;
}

int main(void) {
  for (int i = 0; i < 2000; ++i) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, Work, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
  return Pass();
}
