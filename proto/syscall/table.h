// The syscall table as constant data: one Row for each line of x86_64.def, and Find() from a number to its row.
//
//   const Row* row = Find(nr);                       // null for a number nobody knows
//   if (row && row->Has(Trait::CallerOnly)) ...
//   const Row& openat = Get(Nr::openat);             // checked by the compiler
//   for (const Arg& arg : openat.Args()) ...         // only those that exist
//   static_assert(Get(Nr::stat).next == Nr::newfstatat);
//
// Freestanding, and free of pointers and therefore of relocations: the shim reads the same bytes as the server.
// Names of calls, kinds and traits are in names.h, which is hosted. checks.cc proves the table's own consistency.
#ifndef GUISE_PROTO_SYSCALL_TABLE_H_
#define GUISE_PROTO_SYSCALL_TABLE_H_

#include <stddef.h>
#include <stdint.h>

#include "proto/syscall/columns.h"
#include "proto/syscall/kinds.h"

namespace guise::syscall {

// The numbers. An Nr may also hold a number without a row, such as one read from a register.
enum class Nr : uint32_t {
#define GUISE_SYSCALL(nr, name, result, kernels, next, traits, ...) name = (nr),
#include "proto/syscall/x86_64.def"
};

// Row::next of a call that nothing supersedes.
inline constexpr Nr kNoNr{0xffffffff};

inline constexpr size_t kMaxArgs = 6;
// Tables indexed by number have this many places (placement bytes, this index). Numbers from here on, x32's among
// them, have no row.
inline constexpr uint32_t kNumbers = 1024;

struct Row {
  Nr nr;
  Nr next;  // the call that supersedes this one, or kNoNr
  Traits traits;
  Kernels kernels;
  Arg args[kMaxArgs];  // existing ones first
  Result result;

  constexpr bool Has(Trait trait) const { return traits.Has(trait); }

  constexpr size_t Arity() const {
    size_t n = 0;
    while (n < kMaxArgs && args[n].exists()) ++n;
    return n;
  }

  // The arguments that exist, as a range.
  struct ArgRange {
    const Arg* first;
    const Arg* last;
    constexpr const Arg* begin() const { return first; }
    constexpr const Arg* end() const { return last; }
  };
  constexpr ArgRange Args() const { return {args, args + Arity()}; }
};

inline constexpr size_t kRowCount = 0
#define GUISE_SYSCALL(nr, name, result, kernels, next, traits, ...) +1
#include "proto/syscall/x86_64.def"
    ;

// All rows, by rising number; a range.
struct Table {
  Row rows[kRowCount];

  constexpr const Row* begin() const { return rows; }
  constexpr const Row* end() const { return rows + kRowCount; }
};

namespace columns {
using enum Nr;
inline constexpr Nr none = kNoNr;

constexpr Table MakeTable() {
  return {{
#define GUISE_SYSCALL(nr, name, result, kernels, next, traits, ...) \
  Row{Nr{nr}, next, traits, kernels, {__VA_ARGS__}, Result::result},
#include "proto/syscall/x86_64.def"
  }};
}
}  // namespace columns

inline constexpr Table kTable = columns::MakeTable();

namespace internal {
// For each number, its row's position plus one, or 0.
struct Index {
  uint16_t row[kNumbers] = {};
};
constexpr Index MakeIndex() {
  Index index;
  for (size_t i = 0; i < kRowCount; ++i) {
    index.row[static_cast<uint32_t>(kTable.rows[i].nr)] = static_cast<uint16_t>(i + 1);
  }
  return index;
}
inline constexpr Index kIndex = MakeIndex();
}  // namespace internal

// The row of a number as it came in eax, or null when the table has none. O(1).
constexpr const Row* Find(uint32_t nr) {
  if (nr >= kNumbers) return nullptr;
  const uint16_t position = internal::kIndex.row[nr];
  return position == 0 ? nullptr : &kTable.rows[position - 1];
}

// The row of a call named in the source; does not compile for an Nr without one.
consteval const Row& Get(Nr nr) { return *Find(static_cast<uint32_t>(nr)); }

// Which arguments of a call are of a kind, as bits by position: for those who look at every call that is made.
struct Positions {
  uint8_t paths = 0;  // Path
  uint8_t fds = 0;    // Fd and DirFd
};

namespace internal {
struct PositionTable {
  Positions of[kNumbers] = {};
};
constexpr PositionTable MakePositions() {
  PositionTable table;
  for (const Row& row : kTable.rows) {
    Positions& positions = table.of[static_cast<uint32_t>(row.nr)];
    for (size_t i = 0; i < kMaxArgs; ++i) {
      const auto bit = static_cast<uint8_t>(1u << i);
      const ArgKind kind = row.args[i].kind;
      if (kind == ArgKind::Path) positions.paths |= bit;
      if (kind == ArgKind::Fd || kind == ArgKind::DirFd) positions.fds |= bit;
    }
  }
  return table;
}
inline constexpr PositionTable kPositions = MakePositions();
}  // namespace internal

// Of a number as it came in eax; none for one without a row. O(1).
constexpr Positions PositionsOf(uint32_t nr) { return nr < kNumbers ? internal::kPositions.of[nr] : Positions{}; }

static_assert(PositionsOf(static_cast<uint32_t>(Nr::renameat2)).paths == 0b1010);
static_assert(PositionsOf(static_cast<uint32_t>(Nr::renameat2)).fds == 0b0101);

// Whether current kernels answer ENOSYS to it by design.
constexpr bool IsGone(const Row& row) { return row.traits.HasAny(Trait::Removed | Trait::NeverWired); }

}  // namespace guise::syscall

#endif  // GUISE_PROTO_SYSCALL_TABLE_H_
