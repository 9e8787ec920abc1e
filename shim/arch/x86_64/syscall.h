// The system call instruction for C++ code of the shim. Results are the kernel's: a value, or -errno.
#ifndef GUISE_SHIM_ARCH_X86_64_SYSCALL_H_
#define GUISE_SHIM_ARCH_X86_64_SYSCALL_H_

#include <stdint.h>

#include "proto/syscall/table.h"

namespace guise::shim {

inline int64_t RawSyscall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  uint64_t result = nr;
  register uint64_t r10 __asm__("r10") = a3;
  register uint64_t r8 __asm__("r8") = a4;
  register uint64_t r9 __asm__("r9") = a5;
  // SAFETY: the instruction lies in the shim's text, which dispatch lets through; rcx and r11 are what the kernel
  // destroys.
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return static_cast<int64_t>(result);
}

template <typename T>
inline uint64_t Word(T value) {
  return static_cast<uint64_t>(value);
}
template <typename T>
inline uint64_t Word(T* pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}
inline uint64_t Word(decltype(nullptr)) { return 0; }

// A number that the shim may call by itself, checked by the compiler: sessions may have a kernel without those that
// newer architectures lack. Bases of segments are for CPUs on which no instruction sets them.
struct OwnNr {
  syscall::Nr nr;
  consteval OwnNr(syscall::Nr own) : nr(own) {  // NOLINT(google-explicit-constructor): a number is what is passed
    const bool old = syscall::Find(static_cast<uint32_t>(own))->Has(syscall::Trait::NotInGeneric);
    if (old && own != syscall::Nr::arch_prctl) __builtin_unreachable();  // no constant expression
  }
};

template <typename A = int, typename B = int, typename C = int, typename D = int, typename E = int, typename F = int>
inline int64_t Native(OwnNr nr, A a = 0, B b = 0, C c = 0, D d = 0, E e = 0, F f = 0) {
  return RawSyscall(static_cast<uint64_t>(nr.nr), Word(a), Word(b), Word(c), Word(d), Word(e), Word(f));
}

// ABI: the kernel's error range, include/linux/err.h MAX_ERRNO.
constexpr bool IsError(int64_t result) { return result < 0 && result >= -4095; }

}  // namespace guise::shim

#endif  // GUISE_SHIM_ARCH_X86_64_SYSCALL_H_
