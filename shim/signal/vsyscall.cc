#include "shim/signal/vsyscall.h"

#include <linux/time.h>

#include <initializer_list>

#include "shim/arch/x86_64/syscall.h"
#include "shim/gate/published.h"
#include "shim/guest_memory.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// Offsets into the page.
constexpr uint64_t kGetTimeOfDay = 0;
constexpr uint64_t kTime = 0x400;
constexpr uint64_t kGetCpu = 0x800;

// As time(2), which kernels without old calls lack.
int64_t Time(uint64_t result_at) {
  timespec now;
  const int64_t told = Native(Nr::clock_gettime, CLOCK_REALTIME_COARSE, &now);
  if (IsError(told)) return told;
  if (result_at != 0 && !WriteGuest(result_at, now.tv_sec)) return -EFAULT;
  return now.tv_sec;
}

}  // namespace

bool IsVsyscall(uint64_t rip) {
  const uint64_t page = VsyscallPage();
  if (page == 0) return false;
  const uint64_t offset = rip - page;
  return offset == kGetTimeOfDay || offset == kTime || offset == kGetCpu;
}

bool AnswerVsyscall(GuestRegs* regs, siginfo_t* info) {
  const uint64_t offset = regs->rip - VsyscallPage();
  // ABI: force_sig(SIGSEGV), but for addresses that no program has.
  info->si_code = SI_KERNEL;
  info->si_addr = nullptr;
  for (const uint64_t written : {regs->rdi, regs->rsi}) {
    const bool counts = written == regs->rdi || offset != kTime;
    if (!counts || written < kTaskEnd) continue;
    info->si_code = SEGV_MAPERR;
    info->si_addr = reinterpret_cast<void*>(written);
    return false;
  }
  uint64_t caller;
  if (!ReadGuest(&caller, regs->rsp)) return false;
  int64_t result;
  switch (offset) {
    case kGetTimeOfDay:
      result = Native(Nr::gettimeofday, regs->rdi, regs->rsi);
      break;
    case kTime:
      result = Time(regs->rdi);
      break;
    default:
      result = Native(Nr::getcpu, regs->rdi, regs->rsi, 0);
      break;
  }
  if (result == -EFAULT) return false;
  regs->rax = static_cast<uint64_t>(result);
  regs->rip = caller;
  regs->rsp += sizeof(caller);
  return true;
}

}  // namespace guise::shim
