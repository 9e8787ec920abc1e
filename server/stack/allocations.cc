#include "server/stack/allocations.h"

#include <cstdlib>
#include <new>

namespace {
uint64_t allocations = 0;
}

// All forms of new come here. Not inlined: compilers would see malloc behind new, free behind delete, and warn.
__attribute__((noinline)) void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { std::free(memory); }

uint64_t guise::server::Allocations() { return allocations; }
