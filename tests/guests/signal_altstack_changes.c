// What becomes of an alternate stack that a handler sets, or changes in its frame; and what frames show of it.
// ABI: restore_altstack() and __save_altstack() of kernel/signal.c.
#include <pthread.h>
#include <ucontext.h>

#include "tests/guests/guest.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

enum { kSize = 64 << 10 };
static char first[kSize], second[kSize];
static stack_t wanted, shown;
static int changes_frame, sets, nests;

static void Inner(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  shown = ((ucontext_t*)context)->uc_stack;
  if (changes_frame) ((ucontext_t*)context)->uc_stack = wanted;
}

static void Outer(int signal, siginfo_t* info, void* context) {
  if (sets) CHECK(sigaltstack(&wanted, NULL) == 0);
  if (nests) CHECK(raise(SIGUSR2) == 0);
  if (!nests) Inner(signal, info, context);
}

static void Run(int stack_flag) {
  struct sigaction action = {.sa_sigaction = Outer, .sa_flags = SA_SIGINFO | stack_flag};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  action.sa_sigaction = Inner;
  CHECK(sigaction(SIGUSR2, &action, NULL) == 0 && raise(SIGUSR1) == 0);
  sets = changes_frame = nests = 0;
}

static int Is(const stack_t* stack, const char* at, unsigned flags) {
  return stack->ss_sp == at && (unsigned)stack->ss_flags == flags && stack->ss_size == (at != NULL ? kSize : 0);
}

static void Expect(const char* shown_at, unsigned shown_flags, const char* at, unsigned flags) {
  stack_t now;
  CHECK(sigaltstack(NULL, &now) == 0);
  CHECK(Is(&shown, shown_at, shown_flags));
  CHECK(Is(&now, at, flags));
}

static void Set(char* at, unsigned flags) {
  const stack_t stack = {.ss_sp = at, .ss_flags = (int)flags, .ss_size = kSize};
  CHECK(sigaltstack(&stack, NULL) == 0);
}

static void Change(char* at, unsigned flags, size_t size, int stack_flag) {
  wanted = (stack_t){.ss_sp = at, .ss_flags = (int)flags, .ss_size = size};
  changes_frame = 1;
  Run(stack_flag);
}

// The flags that stand in the frame of a thread without a stack; those of a program's first are its predecessor's.
static void InOneThread(unsigned fresh) {
  wanted = (stack_t){.ss_sp = first, .ss_size = kSize};
  sets = 1;
  Run(0);
  // The frame without a stack takes it away at the return only where it says so.
  if (fresh == 0) Expect(NULL, 0, first, 0);
  if (fresh == SS_DISABLE) Expect(NULL, SS_DISABLE, NULL, SS_DISABLE);
  Set(first, 0);
  Run(SA_ONSTACK);
  Expect(first, 0, first, 0);
  nests = 1;
  Run(SA_ONSTACK);
  Expect(first, 0, first, 0);
  nests = 1;  // no other stack for who runs on this one
  Change(second, 0, kSize, SA_ONSTACK);
  Expect(first, 0, first, 0);
  // A handler elsewhere: what sigaltstack(2) takes.
  Change(second, 0, kSize, 0);
  Expect(first, 0, second, 0);
  Change(first, 0, 2047, 0);
  Expect(second, 0, second, 0);
  Change(first, 0, 0, 0);
  Expect(second, 0, second, 0);
  Change(first, 4, kSize, 0);
  Expect(second, 0, second, 0);
  Change(first, SS_ONSTACK, kSize, 0);
  Expect(second, 0, first, 0);
  Change(first, SS_DISABLE, kSize, 0);
  Expect(first, SS_ONSTACK, NULL, SS_DISABLE);
  Run(0);
  Expect(NULL, SS_DISABLE, NULL, SS_DISABLE);
  Set(first, SS_DISABLE | SS_AUTODISARM);
  Run(0);
  Expect(NULL, SS_DISABLE | SS_AUTODISARM, NULL, SS_DISABLE | SS_AUTODISARM);
  Set(first, SS_AUTODISARM);
  Run(SA_ONSTACK);
  Expect(first, SS_AUTODISARM, first, SS_AUTODISARM);
  nests = 1;
  Run(SA_ONSTACK);
  Expect(NULL, SS_DISABLE, first, SS_AUTODISARM);
  Change(second, 0, kSize, SA_ONSTACK);  // disarmed, so nobody is on it
  Expect(first, SS_AUTODISARM, second, 0);
  Set(first, SS_DISABLE);
}

static void* Thread(void* unused) {
  InOneThread(SS_DISABLE);
  return unused;
}

int main(void) {
  pthread_t thread;
  Run(0);
  InOneThread((unsigned)shown.ss_flags);
  CHECK(pthread_create(&thread, NULL, Thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
  const pid_t child = fork();
  if (child == 0) {
    InOneThread(SS_DISABLE);
    _exit(3);
  }
  CHECK(ExitOf(child) == 3);
  return Pass();
}
