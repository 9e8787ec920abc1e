// The vocabulary of x86_64.def's columns. Only table.h includes this, and evaluates the rows inside the namespace
// `columns`, so that short words such as Fd, Int or none trouble nobody else.
#ifndef GUISE_PROTO_SYSCALL_COLUMNS_H_
#define GUISE_PROTO_SYSCALL_COLUMNS_H_

#include <stdint.h>

#include "proto/syscall/kinds.h"

namespace guise::syscall {

// A kernel release: 6.18 is 0x0612. Releases before 3.0 are not told apart.
constexpr uint16_t Release(uint32_t major, uint32_t minor) { return static_cast<uint16_t>(major << 8 | minor); }

// The mainline releases that know a call.
struct Kernels {
  static constexpr uint16_t kNever = 0xffff;

  uint16_t since = 0;  // first release with it; 0: before 3.0; kNever: none
  uint16_t until = 0;  // first release without it again; 0: not removed

  constexpr bool Include(uint16_t release) const {
    return since != kNever && release >= since && (until == 0 || release < until);
  }
};

namespace columns {

using enum Trait;
inline constexpr Traits Plain{};

inline constexpr Kernels Always{};
inline constexpr Kernels Never{Kernels::kNever, 0};
constexpr Kernels Since(uint32_t major, uint32_t minor) { return {Release(major, minor), 0}; }
constexpr Kernels Until(uint32_t major, uint32_t minor) { return {0, Release(major, minor)}; }

#define X(name, width, doc) inline constexpr Arg name{.kind = ArgKind::name};
GUISE_SYSCALL_VALUE_KINDS(X)
#undef X

// Kinds that need no number.
#define GUISE_PLAIN_KINDS(X) \
  X(Path) X(StrVec) X(MsgHdrIn) X(MsgHdrOut) X(LenPtr) X(SigSetPack) X(HandleIn) X(HandleInOut) X(FutexWord) X(Ptr)
#define X(name) inline constexpr Arg name{.kind = ArgKind::name};
GUISE_PLAIN_KINDS(X)
#undef X
#undef GUISE_PLAIN_KINDS

// Kinds with a number of bytes.
#define GUISE_BYTES_KINDS(X) X(Str) X(StructIn) X(StructOut) X(StructInOut) X(SizedIn)
#define X(name) \
  constexpr Arg name(uint16_t bytes) { return {.kind = ArgKind::name, .bytes = bytes}; }
GUISE_BYTES_KINDS(X)
#undef X
#undef GUISE_BYTES_KINDS

// Kinds that refer to another argument.
// clang-format off
#define GUISE_LINK_KINDS(X)                                                                             \
  X(BufIn) X(BufOut) X(BufOutVar) X(IovecIn) X(IovecOut) X(MMsgHdrIn) X(MMsgHdrOut) X(SockAddrIn)       \
  X(SockAddrOut) X(SigSetIn) X(SigSetOut) X(FdSet) X(BitsIn) X(BitsOut) X(PagesOut) X(CapsIn) X(CapsOut) \
  X(XattrIn) X(XattrOut)
// clang-format on
#define X(name) \
  constexpr Arg name(uint8_t link) { return {.kind = ArgKind::name, .link = link}; }
GUISE_LINK_KINDS(X)
#undef X
#undef GUISE_LINK_KINDS

// Kinds with both: an element's bytes, and where the count is.
#define X(name) \
  constexpr Arg name(uint16_t bytes, uint8_t link) { return {.kind = ArgKind::name, .link = link, .bytes = bytes}; }
X(ArrayIn)
X(ArrayOut)
X(ArrayInOut)
#undef X

constexpr Arg Opt(Arg arg) {
  arg.nullable = true;
  return arg;
}
constexpr Arg Upto(Arg arg) {
  arg.result_bounded = true;
  return arg;
}
constexpr Arg Prefix(uint16_t bytes, Arg arg) {
  arg.bytes = bytes;
  return arg;
}

}  // namespace columns
}  // namespace guise::syscall

#endif  // GUISE_PROTO_SYSCALL_COLUMNS_H_
