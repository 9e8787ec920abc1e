// The site book: which call sites of which files take so many signals that a process is spared them, its sites being
// rewritten while it maps the file. Of a library each program makes other calls: it has an entry for each. There are
// two books, of the same form. Guests write the session's, in request memory, without locks; what a half-written entry
// says, or a forged one, is compared with the file's text before it is believed, and costs speed at most. The server
// writes what it knows from sessions before, in reply memory.
#ifndef GUISE_PROTO_WIRE_BOOK_H_
#define GUISE_PROTO_WIRE_BOOK_H_

#include <stdint.h>

#include "proto/wire/cell.h"

namespace guise::wire {

struct BookSite {
  Cell<uint64_t> place;   // the call's offset in the file << kBookNumberBits | its syscall number; 0: free
  Cell<uint64_t> text;    // the first eight bytes there; 0: not yet known
  Cell<uint32_t> caught;  // calls that took a signal in processes that learn
  Cell<uint32_t> plan;    // BookPlan and BookAhead
};
static_assert(sizeof(BookSite) == 24);

inline constexpr uint32_t kBookNumberBits = 16;
constexpr uint64_t BookPlace(uint64_t offset, uint32_t nr) { return offset << kBookNumberBits | nr; }
constexpr uint64_t BookOffset(uint64_t place) { return place >> kBookNumberBits; }
constexpr uint32_t BookNumber(uint64_t place) {
  return static_cast<uint32_t>(place & ((uint64_t{1} << kBookNumberBits) - 1));
}
// What the site's jump can take of the text around it, beside the one instruction behind the call that a process moves
// by itself.
enum BookPlan : uint32_t {
  // Request memory: a process found no way by itself.
  kBookHard = 1u << 0,
};
// Reply memory, as the server has found it in the file: how many bytes in front of the call an instruction begins that
// can move together with all others up to the call, and is as long as a jump or longer; 0: none. The bits below, but
// for the first, have meant other ways.
inline constexpr uint32_t kBookAheadShift = 16;
inline constexpr uint32_t kBookMostAhead = 16;
constexpr uint32_t BookAhead(uint32_t plan) { return plan >> kBookAheadShift & 0xff; }
// So many processes learn of a file before others believe the book, and one in so many ever after: what it says of a
// site is how often a process that is spared nothing calls it, on average.
inline constexpr uint32_t kBookLearners = 4;
inline constexpr uint32_t kBookLearnsOneIn = 16;

inline constexpr uint32_t kBookSites = 76;
inline constexpr uint32_t kBookPath = 192;
struct BookFile {
  Cell<uint64_t> identity;        // BookIdentity; 0: not yet known
  Cell<uint32_t> learners;        // processes that have mapped it and learn
  Cell<uint32_t> named;           // request memory: 1 when its name has been asked for
  Cell<uint64_t> device;          // reply memory; no two files that there are have the same, and the same inode
  Cell<uint64_t> inode;           //
  Cell<uint8_t> path[kBookPath];  // request memory: its name, NUL-terminated; empty: not known, or too long
  BookSite sites[kBookSites];
};
static_assert(sizeof(BookFile) == 2048);
inline constexpr uint32_t kBookFiles = 256;
// Where so many are in use, new ones are shared: a library's by all programs whose identities are the same modulo
// kBookShared.
inline constexpr uint32_t kBookOfPrograms = 224;
inline constexpr uint32_t kBookShared = 16;
// A key is in one of so many places from its value modulo kBookFiles on, and behind none that is free: keys stay.
inline constexpr uint32_t kBookProbes = kBookFiles;

// The keys lie apart, on one page: most libraries make no calls, and are in no book. The files stand in the order in
// which they came, so that those of a session with few programs are on few pages.
struct Book {
  Cell<uint64_t> keys[kBookFiles];    // BookKey; 0: free
  Cell<uint32_t> places[kBookFiles];  // of the key's file, plus one; 0: not yet known
  Cell<uint32_t> used;                // files; at most kBookFiles of them are there
  uint8_t reserved[1020];
  BookFile files[kBookFiles];
};
static_assert(sizeof(Book) == 4096 + kBookFiles * sizeof(BookFile));

// By what the kernel tells a file by, and whether it has changed; never 0.
struct BookedStatus {
  uint64_t device;
  uint64_t inode;
  uint64_t size;
  uint64_t modified, modified_nanos;
  uint64_t changed, changed_nanos;
};
constexpr uint64_t BookHash(uint64_t hash, uint64_t word) {
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15u;
  hash = (hash ^ word) * kMultiplier;
  return hash ^ hash >> 29;
}
constexpr uint64_t BookIdentity(const BookedStatus& status) {
  uint64_t hash = 1;
  const uint64_t words[] = {status.device,         status.inode,   status.size,         status.modified,
                            status.modified_nanos, status.changed, status.changed_nanos};
  for (const uint64_t word : words) hash = BookHash(hash, word);
  return hash != 0 ? hash : 1;
}
// What an entry is found by, never 0: of a library in the program that is `program`, both by their identities; of a
// program's own file, and of its ELF interpreter, which makes the same calls for all of them, `program` is 0.
constexpr uint64_t BookKey(uint64_t identity, uint64_t program) {
  if (program == 0) return identity;
  const uint64_t key = BookHash(BookHash(1, program), identity);
  return key != 0 ? key : 1;
}

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_BOOK_H_
