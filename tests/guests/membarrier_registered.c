// membarrier(2) knows what the program has registered, and nothing else: the shim registers itself when it changes call
// sites while there are threads.
#include <linux/membarrier.h>
#include <pthread.h>

#include "tests/guests/guest.h"

enum { kGetRegistrations = 1 << 9 };  // Linux 6.3

static long Barrier(int command, unsigned flags) { return syscall(SYS_membarrier, command, flags, 0); }

static pthread_barrier_t go;
static void* Waits(void* unused) {
  pthread_barrier_wait(&go);
  pthread_barrier_wait(&go);
  return unused;
}

static void CheckNotRegistered(void) {
  FAILS(Barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0), EPERM);
  FAILS(Barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 8), EINVAL);
  const long registered = Barrier(kGetRegistrations, 0);
  CHECK(registered >= 0 ? (registered & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) == 0 : errno == EINVAL);
}

int main(int argc, char** argv) {
  const long known = Barrier(MEMBARRIER_CMD_QUERY, 0);
  if (known < 0 || (known & MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) == 0) return Unsupported("barriers for code");
  pthread_t thread;
  CHECK(pthread_barrier_init(&go, NULL, 2) == 0 && pthread_create(&thread, NULL, Waits, NULL) == 0);
  pthread_barrier_wait(&go);
  for (int i = 0; i < 5000; ++i) syscall(SYS_getppid);
  CheckNotRegistered();
  if (argc > 1) return 5;

  CHECK(Barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0) == 0);
  for (int i = 0; i < 100; ++i) CHECK(Barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0) == 0);
  // Forked children have it as well, programs that are executed do not.
  pid_t child = fork();
  if (child == 0) {
    CHECK(Barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0) == 0);
    execl(argv[0], argv[0], "again", NULL);
    _exit(1);
  }
  CHECK(ExitOf(child) == 5);
  pthread_barrier_wait(&go);
  CHECK(pthread_join(thread, NULL) == 0);
  return Pass();
}
