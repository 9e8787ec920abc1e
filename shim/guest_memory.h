// Reading and writing memory of the guest: a bad address is -EFAULT, as the kernel says it.
#ifndef GUISE_SHIM_GUEST_MEMORY_H_
#define GUISE_SHIM_GUEST_MEMORY_H_

#include <stddef.h>
#include <stdint.h>

#include "shim/arch/x86_64/gates.h"
#include "shim/kernel.h"

namespace guise::shim {

// REQUIRES: called in a handler of the shim, with SIGSEGV and SIGBUS open (signal/fault.h).
[[nodiscard]] inline bool ReadGuest(void* to, uint64_t from, size_t size) {
  return guise_copy(to, reinterpret_cast<const void*>(from), size) == 0;
}
[[nodiscard]] inline bool WriteGuest(uint64_t to, const void* from, size_t size) {
  return guise_copy(reinterpret_cast<void*>(to), from, size) == 0;
}
template <typename T>
[[nodiscard]] bool ReadGuest(T* to, uint64_t from) {
  return ReadGuest(to, from, sizeof(T));
}
template <typename T>
[[nodiscard]] bool WriteGuest(uint64_t to, const T& from) {
  return WriteGuest(to, &from, sizeof(T));
}

// Of the frame that an rt_sigreturn(2) with this stack pointer goes by, behind its return address.
[[nodiscard]] inline bool ReadFrame(uint64_t rsp, ucontext* to) {
  return ReadGuest(to, rsp - sizeof(SignalFrame::return_address) + offsetof(SignalFrame, context));
}

// The length, or -EFAULT, or -ENAMETOOLONG when no NUL comes within `size` bytes.
inline int64_t ReadGuestString(char* to, uint64_t from, size_t size) {
  const int64_t length = guise_copy_string(to, reinterpret_cast<const char*>(from), size);
  return length == static_cast<int64_t>(size) ? -ENAMETOOLONG : length;
}

// An iovec(3type) of the guest's.
struct GuestVector {
  uint64_t start;
  uint64_t size;
};
// Calls `visit` with each of `count` vectors, until it returns false or one cannot be read. None of more than the
// kernel takes. ABI: UIO_MAXIOV.
template <typename Visit>
void ForVectors(uint64_t vectors, uint64_t count, Visit visit) {
  constexpr uint64_t kMaxVectors = 1024;
  if (count > kMaxVectors) return;
  for (uint64_t i = 0; i < count; ++i) {
    GuestVector vector;
    if (!ReadGuest(&vector, vectors + i * sizeof(vector)) || !visit(vector)) return;
  }
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_GUEST_MEMORY_H_
