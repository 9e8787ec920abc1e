// The published page and its tables: what a guest may know of its session's stack without a round trip. The server
// writes them (the keeper: KeeperLine), guests read.
//
// Sequence lock: `sequence` is odd while the server writes. A reader takes an even sequence, notes it in its thread
// record (in_gate := epoch, full fence), reads, and starts again when the sequence has moved. A reader that meets an
// odd sequence for long looks at KeeperLine::server_alive.
//
// The direct table is for readers that take no lock: rewritten call sites. A word of it says by itself all that they
// need.
//
// Published: epoch, bells_in_use, loss policy, overlay descriptor, placement and action bytes, the action table. All
// under the one sequence, so that an answer and the epoch that it is counted under never disagree.
#ifndef GUISE_PROTO_WIRE_PUBLISHED_H_
#define GUISE_PROTO_WIRE_PUBLISHED_H_

#include <linux/errno.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire/cell.h"
#include "proto/wire/layout.h"
#include "proto/wire/records.h"
#include "proto/wire/slot.h"

namespace guise::wire {

// What guests get while no server answers.
enum class OnLoss : uint32_t {
  kWait = 0,    // wait for the next server
  kNative = 1,  // the call runs natively
  kFail = 2,    // -EIO
};

// Written by the server at the session's creation.
struct ReplyHeader {
  uint64_t magic;
  uint16_t abi_min;
  uint16_t abi_max;
  uint32_t session;
  uint64_t features;
  uint64_t size;
  uint8_t reserved[32];
};
static_assert(sizeof(ReplyHeader) == kLineSize);

// Written by the session's keeper alone.
struct KeeperLine {
  Cell<uint32_t> server_alive;  // 1 while a server serves; futex
  Cell<uint32_t> generation;    // servers that this session has had
  uint8_t reserved[56];
};
static_assert(sizeof(KeeperLine) == kLineSize);

struct Published {
  Cell<uint32_t> sequence;  // odd: being written
  Cell<uint32_t> epoch;     // starts at 1, only grows
  Cell<uint32_t> on_loss;   // OnLoss
  Cell<uint32_t> bells_in_use;
  // Inode overlays (overlay.h). log2 == 0: no table. While a table grows, readers look into the new one, then the old.
  Cell<uint64_t> overlay_offset;
  Cell<uint64_t> overlay_old_offset;
  Cell<uint32_t> overlay_log2;
  Cell<uint32_t> overlay_old_log2;
  Cell<uint32_t> flags;  // PublishedFlag
  // Owners of files that no overlay names: `owner_from` is shown as `owner_to`, likewise the group. With kMapOwner
  // only.
  Cell<uint32_t> owner_from;
  Cell<uint32_t> owner_to;
  Cell<uint32_t> group_from;
  Cell<uint32_t> group_to;
  Cell<uint32_t> rewrite_after;  // a call site is rewritten at its so-manieth call; 0: none ever is
};
static_assert(sizeof(Published) == kLineSize);

// Published::rewrite_after, at most: what is counted of a site is a byte, with a bit for what is settled.
inline constexpr uint32_t kMostRewriteAfter = 127;

enum PublishedFlag : uint32_t {
  kMapOwner = 1u << 0,
  // Some process has changed its identity. A process that has forked then leaves its record to the server, which
  // writes down what the children have inherited before the record is another's.
  kDiverged = 1u << 1,
  // The guests' own seccomp filters go into the kernel, too.
  kExactSeccomp = 1u << 2,
  // A program that cannot run inside is not run; else it runs outside, with a notice.
  kRefuseUnshimmed = 1u << 3,
  // KernelLook::release and version are what guests are told of the kernel.
  kShowKernel = 1u << 4,
  // What Hiding speaks of is not there.
  kHiddenIsAbsent = 1u << 5,
  // There are text rules.
  kHasTextRules = 1u << 6,
  // Processes may change their identities. A fork takes the child's process record before it makes the child: what the
  // parent changes afterwards is not the child's.
  kKeepsIdentities = 1u << 7,
  // With kMapOwner: what belongs to ids that the session's user namespace has no name for (kOverflowId) is shown as
  // `owner_to`'s and `group_to`'s, too.
  kMapOverflow = 1u << 8,
};

// ABI: /proc/sys/kernel/overflowuid and overflowgid, user_namespaces(7).
inline constexpr uint32_t kOverflowId = 65534;

// As what the owner or group `id` of a file is shown that no overlay names, by the page's `flags` and its words for ids
// of that kind.
constexpr uint32_t ShownId(uint32_t id, uint32_t flags, uint32_t from, uint32_t to) {
  if ((flags & kMapOwner) == 0) return id;
  return id == from || ((flags & kMapOverflow) != 0 && id == kOverflowId) ? to : id;
}

// Text rules: in which programs call sites are rewritten, where any are (Published::rewrite_after). Strings that end
// with a NUL, an empty one behind the last: a TextRule, and the absolute path of a program, or of a directory with all
// below it, with a '/' at its end. The last that matches decides. Written by the server at the session's creation.
enum class TextRule : char {
  kKeep = 'k',     // the text stays as it is
  kRewrite = 'r',  // as without a rule
};

// What guests see of the kernel where it is not the host's; under the sequence of Published. Strings end with a NUL.
struct KernelLook {
  static constexpr uint32_t kText = 64;  // bytes of a string; uname(2) tells no longer ones

  Cell<uint64_t> release[kText / 8];  // with kShowKernel
  Cell<uint64_t> version[kText / 8];  // with kShowKernel
  // Calls to this page, at 0x000, 0x400 and 0x800, are gettimeofday, time and getcpu, whether or not the kernel has a
  // vsyscall page; 0: they are the kernel's.
  Cell<uint64_t> vsyscall;
};
static_assert(sizeof(KernelLook) == 136);

// What the session's floor hides: an object of one file system lies over each hidden file. Written before the first
// guest, by the keeper.
struct Hiding {
  static constexpr uint32_t kBits = 4096;
  static constexpr uint32_t kNameBits = 1024;

  Cell<uint64_t> device;  // EncodeDev of that file system; 0: nothing is hidden
  // A Bloom filter of the inode numbers that directories list for what is hidden (HidingBit).
  Cell<uint64_t> inodes[kBits / 64];
  // And one of the names that what is hidden has in its directories (HidingNameBit).
  Cell<uint64_t> names[kNameBits / 64];
};
static_assert(sizeof(Hiding) == 648);

// By the high bits of the product with 2^64 divided by the golden ratio: inode numbers are often neighbours.
constexpr uint32_t HidingBit(uint64_t ino) { return static_cast<uint32_t>(ino * 0x9e3779b97f4a7c15 >> 52); }
static_assert(Hiding::kBits == 1u << (64 - 52));
// By FNV-1a's high bits.
constexpr uint32_t HidingNameBit(const char* name, uint64_t size) {
  uint64_t hash = 0xcbf29ce484222325;
  for (uint64_t i = 0; i < size; ++i) hash = (hash ^ static_cast<uint8_t>(name[i])) * 0x100000001b3;
  return static_cast<uint32_t>(hash >> 54);
}
static_assert(Hiding::kNameBits == 1u << (64 - 54));

// Which errors of the kernel the server is asked about: bits of Action::asks.
enum class AskOn : uint8_t {
  kNothing = 0,
  kRefused = 1,  // EPERM, EACCES
  kInvalid = 2,  // EINVAL
};

constexpr bool Asks(uint8_t asks, int64_t result) {
  constexpr auto bits = [](AskOn on) { return static_cast<uint8_t>(on); };
  if (result == -EPERM || result == -EACCES) return (asks & bits(AskOn::kRefused)) != 0;
  return result == -EINVAL && (asks & bits(AskOn::kInvalid)) != 0;
}

// What the shim does for a number whose placement is kShim.
enum class ActionVerb : uint8_t {
  kNone = 0,
  kConstant = 1,  // result: value
  kDeny = 2,      // result: value, a -errno
  kFold = 3,      // do nr with arguments from `from` natively
  kOverlay = 4,   // do it natively, then lay what is published over the result: owners and types, or the kernel's look
  kAttempt = 5,   // do it natively; with `asks` and `tested`
};

// 128 of them in the action table; 0 is kNone.
struct Action {
  Cell<uint8_t> verb;     // ActionVerb
  Cell<uint8_t> count;    // kFold: how many arguments the new call has
  Cell<uint8_t> from[6];  // kFold: 0..5: argument of the old call; 6..9: constants[from - 6]
  Cell<uint32_t> nr;      // kFold: the new number
  // kFold: two arguments whose low 32 bits must differ, else the server answers; the same twice: none must.
  Cell<uint8_t> differ[2];
  // kFold, kOverlay, kAttempt: AskOn, the kernel's errors that the server answers in its place.
  Cell<uint8_t> asks;
  // kAttempt: 1 + an argument; calls with any of `bits` in it the server answers; 0: none.
  Cell<uint8_t> tested;
  union {
    Cell<int64_t> value;         // kConstant, kDeny
    Cell<int32_t> constants[4];  // kFold, sign-extended
    Cell<uint32_t> bits;         // kAttempt
  };
};
static_assert(sizeof(Action) == 32);
inline constexpr uint32_t kActions = 128;
static_assert(kActions * sizeof(Action) == kPageSize);

enum class DirectWay : uint8_t {
  kNative = 0,
  kValue = 1,
  kLook = 2,     // at placement and action
  kFold = 3,     // another call with these arguments, natively
  kAttempt = 4,  // natively; at placement and action if it is refused (EPERM, EACCES)
};

// Direct table, by number: how the call is answered, where it is counted, and the answer, which may not part.
struct DirectWord {
  DirectWay way;
  uint8_t counter;  // bytes from calls[kKernel][0] of the thread's record
  uint16_t nr;      // kFold: the new number
  int32_t value;    // kValue: sign-extended; kFold: see FoldSource
};
static_assert(sizeof(DirectWord) == sizeof(uint64_t));
static_assert(kTableNumbers * sizeof(DirectWord) == kDirectSize);

// Where a folded call's arguments come from: half a byte each, the first lowest. 0..5: argument of the old call; 6..15:
// kFoldConstants[source - 6]. The two highest name arguments of the old call whose low 32 bits must differ, else the
// call is looked at; the same twice: none must. Folds with other constants are all looked at.
inline constexpr uint32_t kFoldArguments = 6;
inline constexpr uint32_t kFoldBits = 4;
// AT_FDCWD, the size of a signal set, AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR, creat(2)'s flags; the rest is not in use.
inline constexpr int64_t kFoldConstants[(1u << kFoldBits) - kFoldArguments] = {0, -100, 8, 0x100, 0x200, 0x241};

constexpr uint32_t FoldSource(uint32_t sources, uint32_t i) {
  return sources >> (i * kFoldBits) & ((1u << kFoldBits) - 1);
}

// One page of reply memory: reply lines of a group; in group 0 also the published page.
struct ReplyGroup {
  ReplyHeader header;                                      // group 0
  KeeperLine keeper;                                       // group 0
  Published published;                                     // group 0
  Cell<uint64_t> reclaimed_slots[kSlotsPerGroup];          // owner words that the server gave back
  Cell<uint64_t> reclaimed_threads[kThreadsPerGroup];      //
  Cell<uint64_t> reclaimed_processes[kProcessesPerGroup];  //
  ReplyLine lines[kSlotsPerGroup];
  Cell<uint32_t> parked[kBells];           // group 0: doorbell.h
  Cell<uint8_t> placement[kTableNumbers];  // group 0: Placement, by number
  Cell<uint8_t> action[kTableNumbers];     // group 0: index into the action table, by number
  Cell<uint32_t> reclaims;                 // group 0: futex; how often slots were given back, see request.h
  uint32_t reserved;
  KernelLook kernel;            // group 0
  Hiding hiding;                // group 0; its writer is the keeper
  Cell<uint32_t> books_before;  // group 0: how many files the site book of sessions before knows (book.h)
  uint8_t reserved_too[100];
};
static_assert(sizeof(ReplyGroup) == kPageSize);
static_assert(offsetof(ReplyGroup, keeper) == 64);
static_assert(offsetof(ReplyGroup, published) == 128);
static_assert(offsetof(ReplyGroup, reclaimed_slots) == 192);
static_assert(offsetof(ReplyGroup, reclaimed_threads) == 256);
static_assert(offsetof(ReplyGroup, reclaimed_processes) == 384);
static_assert(offsetof(ReplyGroup, lines) == 512);
static_assert(offsetof(ReplyGroup, parked) == 1024);
static_assert(offsetof(ReplyGroup, placement) == 1152);
static_assert(offsetof(ReplyGroup, action) == 2176);
static_assert(offsetof(ReplyGroup, reclaims) == 3200);
static_assert(offsetof(ReplyGroup, kernel) == 3208);
static_assert(offsetof(ReplyGroup, hiding) == 3344);
static_assert(offsetof(ReplyGroup, books_before) == 3992);

// The fake credentials of a process, indexed by process record. Reserved for answering get*id of processes whose
// identity differs from the stack's constants; a stack publishes kServer placements for those numbers meanwhile.
struct Identity {
  Cell<uint32_t> sequence;
  Cell<uint32_t> generation;  // of the process record
  Cell<uint32_t> uid[4];      // real, effective, saved, filesystem
  Cell<uint32_t> gid[4];
  uint32_t reserved[6];
};
static_assert(sizeof(Identity) == kLineSize);
static_assert(kIdentityOffset + kProcesses * sizeof(Identity) <= kTablesOffset);

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_PUBLISHED_H_
