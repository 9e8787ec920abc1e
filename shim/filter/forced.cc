#include "shim/filter/forced.h"

#include "shim/signal/actions.h"
#include "shim/signal/deliver.h"

namespace guise::shim {
namespace {

siginfo_t Info(const ucontext* context, int code, uint32_t nr, uint32_t arch, int data) {
  siginfo_t info = {};
  info.si_signo = SIGSYS;
  info.si_errno = data;
  info.si_code = code;
  info.si_call_addr = reinterpret_cast<void*>(RegsOf(context)->rip);
  info.si_syscall = static_cast<int>(nr);
  info.si_arch = arch;
  return info;
}

}  // namespace

void ForceSigsys(ThreadBlock* block, ucontext* context, int code, uint32_t nr, uint32_t arch, int data) {
  const siginfo_t info = Info(context, code, nr, arch, data);
  const KernelAction action = TakeAction(block->process, SIGSYS);
  const bool handled = action.handler != kDefaultAction && action.handler != kIgnore;
  if (handled && !block->blocks_sigsys) return Deliver(block, SIGSYS, &info, context, action);
  KillBySigsys(block, context, code, nr, arch, data);
}

void KillBySigsys(ThreadBlock*, ucontext* context, int code, uint32_t nr, uint32_t arch, int data) {
  const siginfo_t info = Info(context, code, nr, arch, data);
  DefaultInKernel(SIGSYS);
  // It comes at the return from the shim's handler, before the guest goes on: SIGSYS is not blocked there.
  Requeue(SIGSYS, &info);
}

}  // namespace guise::shim
