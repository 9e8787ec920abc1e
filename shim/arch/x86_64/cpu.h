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

}  // namespace guise::shim

#endif  // GUISE_SHIM_ARCH_X86_64_CPU_H_
