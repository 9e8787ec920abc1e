// A call in front of a return, whose jump lies in the nop behind them: the program finds its own bytes when it is about
// to write there, and a signal between any two instructions finds it at one of its own.
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/guests/guest.h"
#include "tests/guests/stepped_code.h"

enum { kPage = 4096, kUses = 300, kAt = 96 };

// mov $getppid,%eax; syscall; ret; nopl 0x0(%rax,%rax,1)
static const unsigned char kCode[] = {0xb8, SYS_getppid, 0,    0,    0,    0x0f, 0x05, 0xc3,
                                      0x0f, 0x1f,        0x84, 0x00, 0x12, 0x34, 0x56, 0x78};

static const char* page;
static volatile int traps[sizeof(kCode)];

static void OnTrap(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  const uintptr_t at = (uintptr_t)((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] - (uintptr_t)(page + kAt);
  if (at < sizeof(kCode)) ++traps[at];
}

int main(void) {
  const long parent = getppid();
  char name[] = "site_XXXXXX";
  const int fd = mkstemp(name);
  CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, kPage) == 0);
  CHECK(pwrite(fd, kCode, sizeof(kCode), kAt) == (ssize_t)sizeof(kCode));
  page = mmap(NULL, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  CHECK(page != MAP_FAILED);
  const struct sigaction action = {.sa_sigaction = OnTrap, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kUses; ++i) CHECK(((long (*)(void))(uintptr_t)(page + kAt))() == parent);
    CHECK(Stepped(page + kAt) == parent);
    for (size_t at = 0; at < sizeof(kCode); ++at) CHECK(traps[at] == 0 || at == 0 || at == 5 || at == 7);
    CHECK(traps[0] > round && traps[5] > round);
    CHECK(mprotect((char*)(uintptr_t)page, kPage, PROT_READ | PROT_WRITE) == 0);
    CHECK(memcmp(page + kAt, kCode, sizeof(kCode)) == 0);
    CHECK(mprotect((char*)(uintptr_t)page, kPage, PROT_READ | PROT_EXEC) == 0);
  }
  return Pass();
}
