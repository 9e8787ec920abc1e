// %fs and %gs are the program's: changed by arch_prctl and, where the CPU has them, by wrfsbase and wrgsbase; kept over
// calls, signals, threads and fork.
#include <asm/prctl.h>
#include <pthread.h>
#include <sys/auxv.h>

#include "tests/guests/guest.h"

static uint64_t words[2] = {0x1234, 0x5678};
static volatile int handled;

// Raw calls: while %fs is not libc's, nothing of libc may run.
static long Raw(long nr, unsigned long a, unsigned long b) {
  __asm__ volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(0), "r"(0) : "rcx", "r11", "memory");
  return nr;
}
static uint64_t GsWord(void) {
  uint64_t word;
  __asm__ volatile("mov %%gs:0, %0" : "=r"(word));
  return word;
}
static uint64_t FsWord(void) {
  uint64_t word;
  __asm__ volatile("mov %%fs:0, %0" : "=r"(word));
  return word;
}
static void OnSignal(int signal) {
  (void)signal;
  handled = GsWord() == words[0] ? 1 : 2;
}
static void* Thread(void* argument) {
  CHECK(Raw(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)argument) == 0);
  for (int i = 0; i < 1000; ++i) CHECK(RawUid() == ExpectedUid() && GsWord() == words[1]);
  return NULL;
}

int main(void) {
  const long uid = ExpectedUid();
  CHECK(Raw(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)&words[0]) == 0);
  signal(SIGUSR1, OnSignal);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, Thread, &words[1]) == 0);
  for (int i = 0; i < 1000; ++i) CHECK(RawUid() == ExpectedUid() && GsWord() == words[0]);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(raise(SIGUSR1) == 0 && handled == 1 && GsWord() == words[0]);
  const pid_t child = fork();
  if (child == 0) _exit(GsWord() == words[0] && RawUid() == ExpectedUid() ? 2 : 3);
  CHECK(ExitOf(child) == 2);

  unsigned long tls = 0;
  CHECK(Raw(SYS_arch_prctl, ARCH_GET_FS, (unsigned long)&tls) == 0);
  long seen[3];
  Raw(SYS_arch_prctl, ARCH_SET_FS, (unsigned long)&words[1]);
  seen[0] = Raw(SYS_getuid, 0, 0);
  const uint64_t word = FsWord();
  Raw(SYS_arch_prctl, ARCH_SET_FS, tls);
  CHECK(seen[0] == uid && word == words[1]);

  enum { kFsgsbase = 2 };  // AT_HWCAP2, HWCAP2_FSGSBASE
  if ((getauxval(AT_HWCAP2) & kFsgsbase) != 0) {
    __asm__ volatile("wrgsbase %0" : : "r"(&words[1]));
    CHECK(RawUid() == ExpectedUid() && GsWord() == words[1]);
    __asm__ volatile("wrfsbase %0" : : "r"(&words[0]) : "memory");
    seen[0] = Raw(SYS_getuid, 0, 0);
    seen[1] = (long)FsWord();
    seen[2] = Raw(SYS_gettid, 0, 0);
    __asm__ volatile("wrfsbase %0" : : "r"(tls) : "memory");
    CHECK(seen[0] == uid && seen[1] == (long)words[0] && seen[2] == getpid());
  }
  return Pass();
}
