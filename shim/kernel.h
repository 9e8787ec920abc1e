// Kernel structures that the shim handles itself, from the kernel's own user headers.
#ifndef GUISE_SHIM_KERNEL_H_
#define GUISE_SHIM_KERNEL_H_

// signal.h defines what the two after it need.
// clang-format off
#include <linux/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
// clang-format on

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <stddef.h>
#include <stdint.h>

// ABI: include/uapi/linux/fcntl.h of Linux 6.14.
#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

namespace guise::shim {

// What an rt_sigframe looks like: arch/x86/include/asm/sigframe.h. The FP state lies above it.
struct SignalFrame {
  uint64_t return_address;
  ucontext context;
  siginfo_t info;
};

// ABI: arch/x86/include/asm/segment.h, __USER_CS and __USER_DS.
inline constexpr uint16_t kUserCode = 0x33;
inline constexpr uint16_t kUserData = 0x2b;

// ABI: arch/x86/include/asm/page_64.h, TASK_SIZE_MAX with four levels of page tables: where no program has memory.
inline constexpr uint64_t kTaskEnd = 0x7ffffffff000;

using SignalSet = uint64_t;
constexpr SignalSet Bit(int signal) { return SignalSet{1} << (signal - 1); }
inline constexpr int kSignals = 64;

// rt_sigaction's structure: include/linux/signal_types.h, struct kernel_sigaction for x86_64.
struct KernelAction {
  uint64_t handler;
  uint64_t flags;
  uint64_t restorer;
  SignalSet mask;
};
static_assert(sizeof(KernelAction) == 32);

inline constexpr uint64_t kDefaultAction = 0;
inline constexpr uint64_t kIgnore = 1;

struct AltStack {
  uint64_t sp;
  int32_t flags;
  int32_t pad;
  uint64_t size;
};
static_assert(sizeof(AltStack) == sizeof(stack_t));
// ABI: include/linux/signal.h, sas_ss_reset(). A program starts with zeros instead.
inline constexpr AltStack kNoAltStack = {0, SS_DISABLE, 0, 0};

}  // namespace guise::shim

#endif  // GUISE_SHIM_KERNEL_H_
