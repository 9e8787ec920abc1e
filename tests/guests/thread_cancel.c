// pthread_cancel ends a thread that blocks in pause, read and a condition, and runs its clean-up; thread-local data
// dies.
#include <pthread.h>

#include "tests/guests/guest.h"

static int pipe_fds[2];
static volatile int started;
static volatile int cleaned;
static volatile int destroyed;
static pthread_key_t key;

static void Clean(void* argument) { cleaned += argument != NULL; }
static void Destroy(void* argument) { destroyed += argument != NULL; }

static void* Block(void* argument) {
  const int how = (int)(intptr_t)argument;
  char byte = 0;
  pthread_setspecific(key, &byte);
  pthread_cleanup_push(Clean, &byte);
  CheckInside();
  __sync_fetch_and_add(&started, 1);
  for (;;) {
    if (how == 0) pause();
    if (how == 1) CHECK(read(pipe_fds[0], &byte, 1) == 12345);
    if (how == 2) {
      CheckInside();
      pthread_testcancel();
    }
  }
  pthread_cleanup_pop(0);
  return NULL;
}

int main(void) {
  CHECK(pipe(pipe_fds) == 0 && pthread_key_create(&key, Destroy) == 0);
  for (int i = 0; i < 60; ++i) {
    pthread_t thread;
    void* result = NULL;
    started = 0;
    CHECK(pthread_create(&thread, NULL, Block, (void*)(intptr_t)(i % 3)) == 0);
    if (i % 2 == 0) {
      while (!started) CheckInside();
    }
    CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
  }
  CHECK(cleaned >= 20 && cleaned == destroyed);
  return Pass();
}
