// Eight threads make calls at once; each gets its own results.
#include <pthread.h>

#include "tests/guests/guest.h"

static void* Work(void* argument) {
  const long me = (long)(intptr_t)argument;
  const pid_t tid = (pid_t)syscall(SYS_gettid);
  char name[32];
  snprintf(name, sizeof(name), "file %ld", me);
  const int fd = open(name, O_CREAT | O_RDWR, 0600);
  CHECK(fd >= 0 && ftruncate(fd, 1000 + me) == 0);
  for (int i = 0; i < 500; ++i) {
    struct stat status;
    CHECK(RawUid() == ExpectedUid());
    CHECK(stat(name, &status) == 0 && status.st_size == 1000 + me);
    CHECK(fstat(fd, &status) == 0 && status.st_size == 1000 + me);
    CHECK(syscall(SYS_gettid) == tid);
    CHECK(stat("/no such file", &status) == -1 && errno == ENOENT);
  }
  close(fd);
  return argument;
}

int main(void) {
  for (int round = 0; round < 4; ++round) {
    pthread_t threads[8];
    for (long i = 0; i < 8; ++i) CHECK(pthread_create(&threads[i], NULL, Work, (void*)(intptr_t)i) == 0);
    for (long i = 0; i < 8; ++i) {
      void* result = NULL;
      CHECK(pthread_join(threads[i], &result) == 0 && (long)(intptr_t)result == i);
    }
  }
  return Pass();
}
