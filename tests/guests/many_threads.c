// Two hundred threads at once, each waiting in the kernel: more than one group of records.
#include <pthread.h>

#include "tests/guests/guest.h"

enum { kThreads = 200 };
static int gate[2];

static void* Work(void* argument) {
  char byte;
  CHECK(RawUid() == ExpectedUid());
  CHECK(read(gate[0], &byte, 1) == 1);
  struct stat status;
  CHECK(stat("/", &status) == 0);
  CHECK(RawUid() == ExpectedUid());
  return argument;
}

int main(void) {
  CHECK(pipe(gate) == 0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  static pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) CHECK(pthread_create(&threads[i], &attributes, Work, NULL) == 0);
  static char bytes[kThreads];
  CHECK(write(gate[1], bytes, sizeof(bytes)) == sizeof(bytes));
  for (int i = 0; i < kThreads; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  return Pass();
}
