// How many bytes lie behind a pointer argument: the one place where the kinds of kinds.h become numbers.
//
//   const Extent extent = ExtentOf(*row, 1, args);   // read(0, buf, 100): 100 bytes, known
//
// Freestanding. The registers are a guest's: any value is possible, and no result wraps around.
#ifndef GUISE_PROTO_SYSCALL_EXTENT_H_
#define GUISE_PROTO_SYSCALL_EXTENT_H_

#include <stddef.h>
#include <stdint.h>

#include "proto/syscall/table.h"

namespace guise::syscall {

// The length or count in a register, in the width in which the kernel takes it; 0 for one that it refuses as negative.
// REQUIRES: IsSize(kind).
constexpr uint64_t SizeIn(ArgKind kind, uint64_t reg) {
  switch (kind) {
    case ArgKind::Size32:
      return static_cast<uint32_t>(reg);
    case ArgKind::SSize32:
      return static_cast<int32_t>(reg) < 0 ? 0 : static_cast<uint32_t>(reg);
    case ArgKind::SSize:
      return static_cast<int64_t>(reg) < 0 ? 0 : reg;
    default:
      return reg;
  }
}

struct Extent {
  // Where the number of bytes comes from.
  enum class Source : uint8_t {
    None,       // the argument is a value, or no such argument exists
    Registers,  // `bytes` is exact: no more is read or written directly behind the pointer
    Memory,     // `bytes` lie there in any case; how many more, they or the memory at `link` tell
    Opaque,     // Ptr: the table does not know
  };

  Source source = Source::None;
  uint64_t bytes = 0;
};

// What lies directly behind argument `position` of a call with these registers. Buffers that a structure points to
// (iovecs, message headers, xattr_args) are not counted. NULL is the caller's to check. Sources of Memory:
//   Path, Str      up to the NUL: 1 byte at least       StrVec    up to the NULL: 8 bytes at least
//   BufOutVar, SockAddrOut  the u32 at args[link]       SizedIn   the u32 at offset arg.bytes
//   HandleIn, HandleInOut   8 and the first u32         CapsIn, CapsOut  12, or 24 unless the header says version 1
constexpr Extent ExtentOf(const Row& row, size_t position, const uint64_t (&args)[kMaxArgs]) {
  using Source = Extent::Source;
  if (position >= kMaxArgs) return {};
  const Arg& arg = row.args[position];
  // With a link to a size: the count. Elsewhere unused.
  uint64_t count = 0;
  if (arg.has_link() && IsSize(row.args[arg.link].kind)) count = SizeIn(row.args[arg.link].kind, args[arg.link]);
  const auto times = [count](uint64_t bytes) { return count > UINT64_MAX / bytes ? UINT64_MAX : count * bytes; };
  const auto words_for = [](uint64_t bits) { return bits / 64 * 8 + (bits % 64 != 0 ? 8 : 0); };

  switch (arg.kind) {
    case ArgKind::Path:
    case ArgKind::Str:
      return {Source::Memory, 1};
    case ArgKind::StrVec:
      return {Source::Memory, 8};
    case ArgKind::BufIn:
    case ArgKind::BufOut:
      return {Source::Registers, count > UINT64_MAX - arg.bytes ? UINT64_MAX : count + arg.bytes};
    case ArgKind::SigSetIn:
    case ArgKind::SigSetOut:
    case ArgKind::SockAddrIn:
    case ArgKind::XattrIn:
    case ArgKind::XattrOut:
      return {Source::Registers, count};
    case ArgKind::StructIn:
    case ArgKind::StructOut:
    case ArgKind::StructInOut:
      return {Source::Registers, arg.bytes};
    case ArgKind::ArrayIn:
    case ArgKind::ArrayOut:
    case ArgKind::ArrayInOut:
      return {Source::Registers, times(arg.bytes)};
    case ArgKind::IovecIn:
    case ArgKind::IovecOut:
      return {Source::Registers, times(16)};
    case ArgKind::MMsgHdrIn:
    case ArgKind::MMsgHdrOut:
      // The padding behind the last element's msg_len is not touched.
      return {Source::Registers, count == 0 ? 0 : times(64) - 4};
    case ArgKind::MsgHdrIn:
    case ArgKind::MsgHdrOut:
      return {Source::Registers, 56};
    case ArgKind::SigSetPack:
      return {Source::Registers, 16};
    case ArgKind::LenPtr:
    case ArgKind::FutexWord:
      return {Source::Registers, 4};
    case ArgKind::FdSet:
      return {Source::Registers, words_for(count)};
    case ArgKind::BitsIn:
    case ArgKind::BitsOut:
      return {Source::Registers, count == 0 ? 0 : words_for(count - 1)};
    case ArgKind::PagesOut:
      return {Source::Registers, count / 4096 + (count % 4096 != 0 ? 1 : 0)};
    case ArgKind::BufOutVar:
    case ArgKind::SockAddrOut:
      return {Source::Memory, 0};
    case ArgKind::SizedIn:
      return {Source::Memory, uint64_t{arg.bytes} + 4};
    case ArgKind::HandleIn:
    case ArgKind::HandleInOut:
      return {Source::Memory, 8};
    case ArgKind::CapsIn:
    case ArgKind::CapsOut:
      return {Source::Memory, 12};
    case ArgKind::Ptr:
      return {Source::Opaque, 0};
    default:
      return {};
  }
}

}  // namespace guise::syscall

#endif  // GUISE_PROTO_SYSCALL_EXTENT_H_
