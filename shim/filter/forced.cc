#include "shim/filter/forced.h"

#include "shim/signal/actions.h"
#include "shim/signal/deliver.h"

namespace guise::shim {

siginfo_t SigsysOf(const ucontext* context, int code, uint32_t nr, uint32_t arch, int data) {
  siginfo_t info = {};
  info.si_signo = SIGSYS;
  info.si_errno = data;
  info.si_code = code;
  info.si_call_addr = reinterpret_cast<void*>(RegsOf(context)->rip);
  info.si_syscall = static_cast<int>(nr);
  info.si_arch = arch;
  return info;
}

void ForceSigsys(ThreadBlock* block, ucontext* context, const siginfo_t& info) {
  const KernelAction action = TakeAction(block->process, SIGSYS);
  if (!IsHandled(action) || block->blocks_sigsys) return KillBySigsys(info);
  Deliver(block, SIGSYS, &info, context, action);
}

void KillBySigsys(const siginfo_t& info) {
  DefaultInKernel(SIGSYS);
  // It comes at the return from the shim's handler, before the guest goes on: SIGSYS is not blocked there.
  Requeue(SIGSYS, &info);
}

}  // namespace guise::shim
