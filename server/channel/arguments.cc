#include "server/channel/arguments.h"

#include <algorithm>
#include <cstring>

#include "proto/syscall/extent.h"
#include "proto/syscall/table.h"

namespace guise::server {
namespace {

using syscall::Arg;
using syscall::ArgKind;

// ABI: PATH_MAX, with its NUL.
constexpr uint64_t kPathMax = 4096;
// Most paths end in the first piece.
constexpr uint64_t kPiece = 128;

// Bytes behind an argument; 0: of none, or where the registers alone do not tell, which is never copied.
uint64_t SizeOf(const syscall::Row& row, size_t position, const uint64_t (&args)[6]) {
  const syscall::Extent extent = syscall::ExtentOf(row, position, args);
  return extent.source == syscall::Extent::Source::Registers ? extent.bytes : 0;
}

// Copies up to the NUL, piece by piece, and looks for it in the copy. Returns its place, or `limit` without one.
// NOLINTNEXTLINE(readability-non-const-parameter): written by CopyOnce
uint64_t CopyString(char* to, const char* from, uint64_t limit) {
  uint64_t done = 0;
  while (done < limit) {
    const uint64_t piece = std::min(kPiece, limit - done);
    CopyOnce(to + done, from + done, piece);
    const void* nul = memchr(to + done, 0, piece);
    if (nul != nullptr) return static_cast<uint64_t>(static_cast<const char*>(nul) - to);
    done += piece;
  }
  return limit;
}

}  // namespace

// NOLINTNEXTLINE(readability-non-const-parameter): written by the instruction
void CopyOnce(char* to, const char* from, uint64_t size) {
  // SAFETY: `rep movsb` in place of memcpy, of whose source a compiler may think that it stays and read it again.
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

bool CopyArguments(uint32_t nr, const uint64_t (&args)[6], const uint16_t (&offsets)[6], const char* inbound,
                   absl::Span<char> buffer, std::string_view (&copies)[6]) {
  const syscall::Row* const row = syscall::Find(nr);
  uint64_t used = 0;
  for (size_t i = 0; i < syscall::kMaxArgs; ++i) {
    copies[i] = {};
    if (offsets[i] == 0) continue;
    if (row == nullptr) return false;
    const uint64_t offset = offsets[i] - 1u;
    if (offset >= kCopiesSize) return false;
    const uint64_t room = std::min(kCopiesSize - offset, buffer.size() - used);
    char* const to = buffer.data() + used;
    const Arg& arg = row->args[i];
    if (arg.kind == ArgKind::Path || arg.kind == ArgKind::Str) {
      const uint64_t limit = std::min(room, kPathMax);
      const uint64_t length = CopyString(to, inbound + offset, limit);
      if (length == limit) return false;
      copies[i] = {to, length};
      used += length + 1;
    } else {
      const uint64_t size = SizeOf(*row, i, args);
      if (size == 0 || size > room) return false;
      CopyOnce(to, inbound + offset, size);
      copies[i] = {to, size};
      used += size;
    }
    // As the other side lays them out: handlers may look at structures in place.
    used = std::min(buffer.size(), (used + 7) & ~uint64_t{7});
  }
  return true;
}

}  // namespace guise::server
