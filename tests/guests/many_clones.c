// Threads that begin with all signals blocked, made at one site by several threads at once, while others begin.
#include <pthread.h>

#include "tests/guests/guest.h"

enum { kMakers = 4, kRounds = 6, kThreads = 40 };

static void* Begin(void* argument) { return RawUid() == ExpectedUid() ? argument : NULL; }

static void* Make(void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 << 10);
  for (int round = 0; round < kRounds; ++round) {
    pthread_t threads[kThreads];
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_create(&threads[i], &attributes, Begin, argument) == 0);
    for (int i = 0; i < kThreads; ++i) {
      void* result;
      CHECK(pthread_join(threads[i], &result) == 0 && result == argument);
    }
  }
  return argument;
}

int main(void) {
  pthread_t makers[kMakers];
  for (int i = 0; i < kMakers; ++i) CHECK(pthread_create(&makers[i], NULL, Make, makers) == 0);
  for (int i = 0; i < kMakers; ++i) CHECK(pthread_join(makers[i], NULL) == 0);
  return Pass();
}
