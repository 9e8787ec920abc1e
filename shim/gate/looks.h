// What the shim has to look at before a call may run natively, by the call's number alone. The compiler makes one word
// for each number of the syscall table, so that a call that is caught, or comes to the gate, does what concerns it and
// no more.
#ifndef GUISE_SHIM_GATE_LOOKS_H_
#define GUISE_SHIM_GATE_LOOKS_H_

#include <stddef.h>
#include <stdint.h>

#include "proto/syscall/table.h"

namespace guise::shim {

enum class Look : uint16_t {
  kCaught = 1u << 0,    // the thread must be caught, for a frame that holds what the call changes or reads (mask,
                        // handlers, all of the guest's state), but for what gate.cc answers; also unknown numbers
  kTempMask = 1u << 1,  // brings a signal mask along
  kFdTable = 1u << 2,   // has to do with fds that no argument names (view/fds.h)
  kFdLists = 1u << 3,   // has fds in memory (view/fd_lists.h)
  kMemory = 1u << 4,    // changes the memory map (view/ranges.h, rewrite/mappings.h)
  kResult = 1u << 5,    // the guest sees its result when it has been looked through (view/fds.h)
  kMayBlock = 1u << 6,  // is made here while the guest blocks SIGSYS
  kAddress = 1u << 7,   // has a socket's address, which may be a path (view/hiding.h)
  kOld = 1u << 8,       // is another call with its arguments in other places, for asm-generic
  kBarriers = 1u << 9,  // has to do with what is registered for barriers (view/barriers.h)
};

// Whether a socket's address is among what the call reads.
constexpr bool HasAddress(syscall::Nr nr) {
  switch (nr) {
    case syscall::Nr::connect:
    case syscall::Nr::bind:
    case syscall::Nr::sendto:
    case syscall::Nr::sendmsg:
    case syscall::Nr::sendmmsg:
      return true;
    default:
      return false;
  }
}

struct Looks {
  uint16_t bits = 0;  // set of Look
  uint8_t fds = 0;    // bit i: argument i is an fd of the call's
  uint8_t paths = 0;  // bit i: argument i is a path

  constexpr bool Has(Look look) const { return (bits & static_cast<uint16_t>(look)) != 0; }
  constexpr void Add(Look look) { bits |= static_cast<uint16_t>(look); }
  // Those that take more than a look at the arguments that are fds or paths.
  constexpr uint16_t OfNumber() const {
    constexpr auto kOther = static_cast<uint16_t>(Look::kMayBlock) | static_cast<uint16_t>(Look::kAddress) |
                            static_cast<uint16_t>(Look::kOld);
    return static_cast<uint16_t>(bits & ~kOther);
  }
};

struct LooksTable {
  Looks of[syscall::kNumbers];
};
#pragma GCC visibility push(hidden)
extern const LooksTable kLooks;
#pragma GCC visibility pop

// O(1); for any number.
inline Looks LooksOf(syscall::Nr nr) {
  const auto number = static_cast<uint32_t>(nr);
  if (number < syscall::kNumbers) return kLooks.of[number];
  Looks none;
  none.Add(Look::kCaught);
  return none;
}

// Calls `visit` with the position of each argument of a set, until it returns true; whether it did.
template <typename Visit>
bool AnyArgument(uint8_t set, Visit visit) {
  for (uint32_t left = set; left != 0; left &= left - 1) {
    if (visit(static_cast<size_t>(__builtin_ctz(left)))) return true;
  }
  return false;
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_GATE_LOOKS_H_
