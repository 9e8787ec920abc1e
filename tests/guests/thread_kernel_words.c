// Words in the program's memory that the kernel writes for a thread: its tid at the end, the robust list of one that
// dies, the restartable sequence's CPU; and membarrier's answers.
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/guests/guest.h"

#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 35)
#define HAS_RSEQ 1
#include <sys/rseq.h>
#endif
#endif

static pthread_mutex_t* mutex;

static void* DieWithIt(void* unused) {
  (void)unused;
  CHECK(pthread_mutex_lock(mutex) == 0);
  return NULL;
}

static int tid_word = 7;
static void* Clears(void* unused) {
  (void)unused;
  CHECK(syscall(SYS_set_tid_address, &tid_word) == syscall(SYS_gettid));
  syscall(SYS_exit, 0);
  return NULL;
}

static int Bare(void* word) {
  *(volatile int*)word = (int)syscall(SYS_getpid);
  syscall(SYS_exit, 0);
  return 0;
}

int main(void) {
  pthread_mutexattr_t robust;
  CHECK(pthread_mutexattr_init(&robust) == 0);
  CHECK(pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST) == 0);
  CHECK(pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED) == 0);
  mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(pthread_mutex_init(mutex, &robust) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, DieWithIt, NULL) == 0 && pthread_join(thread, NULL) == 0);
  CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD && pthread_mutex_consistent(mutex) == 0);
  CHECK(pthread_mutex_unlock(mutex) == 0);
  const pid_t child = fork();
  if (child == 0) {
    CHECK(pthread_mutex_lock(mutex) == 0);
    kill(getpid(), SIGKILL);
  }
  CHECK(ExitOf(child) == 128 + SIGKILL);
  CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD);

  // A thread that has told the kernel of another word: that one is cleared, and woken.
  CHECK(pthread_create(&thread, NULL, Clears, NULL) == 0 && pthread_detach(thread) == 0);
  while (*(volatile int*)&tid_word != 0) syscall(SYS_futex, &tid_word, FUTEX_WAIT, 7, NULL, NULL, 0);

  // A thread without TLS on a stack of one page.
  static char stack[4096] __attribute__((aligned(16)));
  static volatile int ran, ctid = 1, ptid;
  const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                    CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;
  const int made = clone(Bare, stack + sizeof(stack), flags, (void*)&ran, &ptid, NULL, &ctid);
  CHECK(made > 0 && ptid == made);
  while (ctid != 0) syscall(SYS_futex, &ctid, FUTEX_WAIT, 1, NULL, NULL, 0);
  CHECK(ran == getpid());

#ifdef HAS_RSEQ
  if (__rseq_size != 0) {
    const struct rseq* area = (const struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
    for (int i = 0; i < 1000; ++i) {
      getppid();
      CHECK(area->cpu_id < 4096 && area->cpu_id_start == area->cpu_id);
    }
    FAILS(syscall(SYS_rseq, area, __rseq_size < 32 ? 32 : __rseq_size, 0, 0x53053053), EBUSY);
  }
#endif
  const long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  CHECK(commands > 0);
  CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
  CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
  CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0);
  FAILS(syscall(SYS_membarrier, 1 << 20, 0, 0), EINVAL);
  return Pass();
}
