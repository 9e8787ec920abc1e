// What a program asks for about its own calls later holds at sites that it has used often before: a seccomp filter,
// also one for all threads, and Syscall User Dispatch.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "tests/guests/guest.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

enum { kUses = 300 };
static volatile int dispatched;
static volatile char selector;
static pthread_barrier_t step;

static __attribute__((noinline)) long Call(long nr) {
  __asm__ volatile("syscall\n  cmp $-4096, %%rax" : "+a"(nr) : : "rcx", "r11", "memory");
  return nr;
}
static void Use(long result) {
  for (int i = 0; i < kUses; ++i) CHECK(Call(SYS_getppid) == result);
}

static void Deny(unsigned flags) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0);
}

static void* Other(void* parent) {
  Use((long)parent);
  pthread_barrier_wait(&step);
  pthread_barrier_wait(&step);
  Use(-EXDEV);
  return NULL;
}

static void Handler(int signal) {
  (void)signal;
  selector = 0;
  ++dispatched;
}

int main(void) {
  const long parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    Use(parent);
    Deny(0);
    Use(-EXDEV);
    _exit(3);
  }
  CHECK(ExitOf(child) == 3);
  child = fork();
  if (child == 0) {
    pthread_t thread;
    CHECK(pthread_barrier_init(&step, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, Other, (void*)parent) == 0);
    pthread_barrier_wait(&step);
    Deny(SECCOMP_FILTER_FLAG_TSYNC);
    pthread_barrier_wait(&step);
    CHECK(pthread_join(thread, NULL) == 0);
    _exit(4);
  }
  CHECK(ExitOf(child) == 4);
  const struct sigaction action = {.sa_handler = Handler};
  CHECK(sigaction(SIGSYS, &action, NULL) == 0);
  const long own_parent = getppid();
  Use(own_parent);
  CHECK(prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector) == 0);
  for (int i = 1; i <= kUses; ++i) {
    selector = 1;
    Call(SYS_getppid);
    CHECK(dispatched == i);
  }
  CHECK(prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0) == 0);
  Use(own_parent);
  return Pass();
}
