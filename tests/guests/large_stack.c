// Deep recursion in the main thread, and a thread with a 64 MiB stack, making calls all the way.
#include <pthread.h>

#include "tests/guests/guest.h"

static int __attribute__((noinline)) Descend(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  if (depth % 100 == 0) CheckInside();
  return depth == 0 ? frame[0] : Descend(depth - 1) + (frame[0] == (char)depth);
}

static void* InThread(void* argument) {
  CHECK(Descend(14000) > 0);
  return argument;
}

int main(void) {
  CHECK(Descend(1700) > 0);
  pthread_attr_t attributes;
  pthread_t thread;
  CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 64 << 20) == 0);
  CHECK(pthread_create(&thread, &attributes, InThread, NULL) == 0 && pthread_join(thread, NULL) == 0);
  return Pass();
}
