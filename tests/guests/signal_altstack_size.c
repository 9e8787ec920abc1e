// Which sizes of an alternate stack the kernel takes, and that it grants no CPU state whose frames would not fit into
// the stacks that there are (AMX; arch_prctl(2)).
#include <asm/prctl.h>
#include <sys/auxv.h>

#include "tests/guests/guest.h"

enum {
  kGetSupported = 0x1021,
  kGetPermitted = 0x1022,
  kRequest = 0x1023,
  kTileData = 18,
  kFrameSize = 51,
  kLeast = 2048
};

static char stack[1 << 16];

static int TakesSize(size_t size) {
  const stack_t wanted = {.ss_sp = stack, .ss_size = size};
  if (sigaltstack(&wanted, NULL) == 0) return 1;
  CHECK(errno == ENOMEM);
  stack_t now;
  CHECK(sigaltstack(NULL, &now) == 0 && (size == 0 || now.ss_size != size));
  return 0;
}

static uint64_t Features(int command) {
  uint64_t features = 0;
  return syscall(SYS_arch_prctl, command, &features) == 0 ? features : 0;
}

static volatile sig_atomic_t handled;
static void OnSignal(int signal) {
  char on_stack;
  handled = signal != 0 && &on_stack > stack && &on_stack < stack + sizeof(stack);
}

int main(void) {
  const size_t frame = getauxval(kFrameSize);
  CHECK(!TakesSize(0) && !TakesSize(kLeast - 1) && TakesSize(sizeof(stack)));
  const uint64_t tile = 1UL << kTileData;
  // Kernels of newer architectures are without the call, as is what stands in for one.
  if (syscall(SYS_arch_prctl, kGetSupported, NULL) < 0 && errno == ENOSYS) return Pass();
  if (frame == 0 || (Features(kGetSupported) & tile) == 0 || (Features(kGetPermitted) & tile) != 0) {
    return Unsupported("AMX");
  }
  const int is_strict = !TakesSize(kLeast);
  if (!is_strict) {
    FAILS(syscall(SYS_arch_prctl, kRequest, kTileData), ENOSPC);
    CHECK(TakesSize(frame - 1));
    FAILS(syscall(SYS_arch_prctl, kRequest, kTileData), ENOSPC);
    CHECK((Features(kGetPermitted) & tile) == 0);
  }
  FAILS(syscall(SYS_arch_prctl, kRequest, 1), EOPNOTSUPP);
  FAILS(syscall(SYS_arch_prctl, kRequest, 1000), EINVAL);
  CHECK(TakesSize(frame));
  CHECK(syscall(SYS_arch_prctl, kRequest, kTileData) == 0);
  CHECK((Features(kGetPermitted) & tile) != 0);
  CHECK(!TakesSize(kLeast) && !TakesSize(8192) && TakesSize(frame));
  const pid_t child = fork();
  if (child == 0) _exit(TakesSize(kLeast) ? 1 : 0);
  CHECK(ExitOf(child) == 0);
  const struct sigaction action = {.sa_handler = OnSignal, .sa_flags = SA_ONSTACK};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && raise(SIGUSR1) == 0 && handled);
  return Pass();
}
