// Which CPU this thread runs on, without a syscall and on every x86_64: the kernel keeps the number in the limit of a
// segment that user code may ask for. ABI: arch/x86/include/asm/segment.h, __CPUNODE_SEG and vdso_read_cpunode().
#ifndef GUISE_SHIM_ARCH_X86_64_CPU_H_
#define GUISE_SHIM_ARCH_X86_64_CPU_H_

#include <stdint.h>

namespace guise::shim {

inline uint32_t CurrentCpu() {
  constexpr uint32_t kCpuNodeSegment = 0x7b;
  uint32_t limit = 0;
  // SAFETY: lsl reads a descriptor's limit; it clobbers flags and touches no memory.
  __asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(kCpuNodeSegment) : "cc");
  return limit & 0xfff;
}

// REQUIRES: FSGSBASE, as AT_HWCAP2 says.
inline uint64_t GsBase() {
  uint64_t base = 0;
  __asm__ volatile("rdgsbase %0" : "=r"(base));
  return base;
}
inline uint16_t GsSelector() {
  uint16_t selector = 0;
  __asm__ volatile("mov %%gs, %0" : "=r"(selector));
  return selector;
}
inline void SetGsBase(uint64_t base) { __asm__ volatile("wrgsbase %0" : : "r"(base) : "memory"); }
inline uint64_t FsBase() {
  uint64_t base = 0;
  __asm__ volatile("rdfsbase %0" : "=r"(base));
  return base;
}
inline void SetFsBase(uint64_t base) { __asm__ volatile("wrfsbase %0" : : "r"(base) : "memory"); }

// What was written to text before is what this thread executes. ABI: a return by iret serializes; cpuid, too, but a
// virtual machine traps it (arch/x86/include/asm/sync_core.h).
inline void Serialize() {
  uint64_t scratch = 0;
  // SAFETY: returns to the next instruction with all registers as they are; runs on the block's stack, which has no red
  // zone in use across this statement.
  __asm__ volatile(
      "mov %%rsp, %0\n\tlea -128(%%rsp), %%rsp\n\t"
      "push %0\n\tmov %%ss, %k0\n\txchg %0, (%%rsp)\n\tpush %0\n\tpushfq\n\t"
      "mov %%cs, %k0\n\tpush %0\n\tlea 1f(%%rip), %0\n\tpush %0\n\tiretq\n1:"
      : "+&r"(scratch)
      :
      : "cc", "memory");
}

// A guest may run with alignment checks on; handlers inherit the flag, and the shim's code does not keep to it.
inline void ClearAlignmentCheck(uint64_t eflags) {
  constexpr uint64_t kAlignmentCheck = 0x40000;
  if ((eflags & kAlignmentCheck) == 0) return;
  // SAFETY: runs on the block's stack, which has no red zone in use across this statement.
  __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandl $~0x40000, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
                       : "cc", "memory");
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_ARCH_X86_64_CPU_H_
