// The program's own seccomp filters: errno, trap with its siginfo, kill, the strictest of several, arguments, over
// fork, exec and threads, and the errors of setting them.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

static long Load(const struct sock_filter* program, unsigned short length, unsigned flags) {
  const struct sock_fprog all = {length, (struct sock_filter*)program};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &all);
}

// `word` for calls of `nr`, allows others.
static long Filter(int nr, uint32_t word, unsigned flags) {
  const struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, word),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  return Load(program, 4, flags);
}

static volatile int traps;
static void OnTrap(int signal, siginfo_t* info, void* context) {
  const greg_t* regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  CHECK(signal == SIGSYS && info->si_code == 1 && info->si_errno == 77 && info->si_syscall == SYS_getppid);
  CHECK(info->si_arch == AUDIT_ARCH_X86_64 && info->si_call_addr == (void*)regs[REG_RIP]);
  CHECK(regs[REG_RAX] == SYS_getppid);
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RAX] = 4321;
  ++traps;
}

static void* InThread(void* unused) {
  (void)unused;
  FAILS(syscall(SYS_getpgrp), 33);
  return NULL;
}

static pthread_barrier_t barrier;
static void* SeesTsync(void* unused) {
  (void)unused;
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  FAILS(syscall(SYS_sync), 34);
  return NULL;
}

static volatile pid_t killed;
static void* IsKilled(void* unused) {
  (void)unused;
  killed = (pid_t)syscall(SYS_gettid);
  syscall(SYS_getppid);
  _exit(1);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    // After an exec: all are still there.
    FAILS(syscall(SYS_getpgrp), 33);
    FAILS(syscall(SYS_sync), 34);
    CHECK(prctl(PR_GET_SECCOMP) == 2 && getenv("GUISE_FILTER") == NULL);
    return 6;
  }
  const struct sock_filter bad[] = {BPF_STMT(BPF_RET | BPF_X, 0)};
  if (getuid() != 0) {
    FAILS(Filter(SYS_getpgrp, SECCOMP_RET_ERRNO | 33, 0), EACCES);
    // Who asks is looked at before what the filter does, and after its length.
    FAILS(Load(bad, 1, 0), EACCES);
    FAILS(Load(NULL, 1, 0), EACCES);
    FAILS(Load((void*)8, 1, 0), EACCES);
    FAILS(Load(bad, 0, 0), EINVAL);
    FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
  }
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_SECCOMP) == 0);
  FAILS(Load(bad, 1, 0), EINVAL);
  FAILS(Load(bad, 0, 0), EINVAL);
  FAILS(Load(NULL, 1, 0), EINVAL);
  FAILS(Load((void*)8, 1, 0), EFAULT);
  FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
  FAILS(Filter(SYS_getpgrp, 0, 0x8000), EINVAL);
  // So programs ask which flags there are.
  FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x8000, NULL), EINVAL);
  FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, NULL), EFAULT);
  FAILS(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL), EFAULT);
  FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
  FAILS(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);

  CHECK(Filter(SYS_getpgrp, SECCOMP_RET_ERRNO | 33, 0) == 0);
  FAILS(syscall(SYS_getpgrp), 33);
  CHECK(prctl(PR_GET_SECCOMP) == 2);
  FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL), EINVAL);
  // By prctl, too; of two filters the stricter action holds, of equals the newer one.
  const struct sock_filter newer[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup2, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 99, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 9999),  // at most MAX_ERRNO
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog by_prctl = {6, (struct sock_filter*)newer};
  CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &by_prctl) == 0);
  FAILS(dup2(0, 99), 4095);
  CHECK(dup2(0, 98) == 98);

  struct sigaction action = {.sa_sigaction = OnTrap, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGSYS, &action, NULL) == 0);
  CHECK(Filter(SYS_getppid, SECCOMP_RET_TRAP | 77, 0) == 0);
  CHECK(syscall(SYS_getppid) == 4321 && traps == 1);
  pid_t child = fork();
  if (child == 0) {
    CHECK(syscall(SYS_getppid) == 4321);
    sigset_t mask;
    sigfillset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    syscall(SYS_getppid);  // blocked: it kills
    _exit(1);
  }
  CHECK(ExitOf(child) == 128 + SIGSYS);
  for (int thread_too = 0; thread_too < 2; ++thread_too) {
    child = fork();
    if (child == 0) {
      CHECK(Filter(SYS_getppid, thread_too ? SECCOMP_RET_KILL_THREAD : SECCOMP_RET_KILL_PROCESS, 0) == 0);
      syscall(SYS_getppid);
      _exit(1);
    }
    CHECK(ExitOf(child) == 128 + SIGSYS);
  }
  // A thread alone is ended, where there are others. Not every libc's pthread_join() learns of it.
  child = fork();
  if (child == 0) {
    pthread_t thread;
    CHECK(Filter(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0) == 0);
    CHECK(pthread_create(&thread, NULL, IsKilled, NULL) == 0);
    while (killed == 0 || syscall(SYS_tgkill, getpid(), killed, 0) == 0) sched_yield();
    _exit(3);
  }
  CHECK(ExitOf(child) == 3);
  child = fork();
  if (child == 0) {
    CHECK(Filter(SYS_getuid, SECCOMP_RET_TRACE, 0) == 0);
    FAILS(syscall(SYS_getuid), ENOSYS);
    _exit(4);
  }
  CHECK(ExitOf(child) == 4);

  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, InThread, NULL) == 0 && pthread_join(thread, NULL) == 0);
  CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0 && pthread_create(&thread, NULL, SeesTsync, NULL) == 0);
  pthread_barrier_wait(&barrier);
  CHECK(Filter(SYS_sync, SECCOMP_RET_ERRNO | 34, SECCOMP_FILTER_FLAG_TSYNC) == 0);
  pthread_barrier_wait(&barrier);
  CHECK(pthread_join(thread, NULL) == 0);

  child = vfork();
  if (child == 0) {
    execl(argv[0], argv[0], "again", NULL);
    _exit(1);
  }
  CHECK(ExitOf(child) == 6);
  if (!HasInt80()) return Pass();
  // It is looked at by its own architecture.
  child = fork();
  if (child == 0) {
    const struct sock_filter native_only[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 55),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    CHECK(Load(native_only, 4, 0) == 0);
    long result = 20;
    __asm__ volatile("int $0x80" : "+a"(result)::"memory", "r8", "r9", "r10", "r11");
    _exit(result == -55 ? 5 : 1);
  }
  CHECK(ExitOf(child) == 5);
  return Pass();
}
