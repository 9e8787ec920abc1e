// The site book: which call sites of which files take so many signals that a process is spared them, its sites being
// rewritten while it maps the file. Guests write it, in request memory, without locks; what a half-written entry says,
// or a forged one, is compared with the file's text before it is believed, and costs speed at most.
#ifndef GUISE_PROTO_WIRE_BOOK_H_
#define GUISE_PROTO_WIRE_BOOK_H_

#include <stdint.h>

#include "proto/wire/cell.h"

namespace guise::wire {

struct BookSite {
  Cell<uint64_t> place;   // the call's offset in the file << kBookNumberBits | its syscall number; 0: free
  Cell<uint64_t> text;    // the first eight bytes there; 0: not yet known
  Cell<uint32_t> caught;  // calls that took a signal in processes that learn, or kBookNever
  uint32_t reserved;
};
static_assert(sizeof(BookSite) == 24);

inline constexpr uint32_t kBookNumberBits = 16;
// The site cannot be rewritten.
inline constexpr uint32_t kBookNever = 0xffffffff;
// So many processes learn of a file before others believe the book, and one in so many ever after: what it says of a
// site is how often a process that is spared nothing calls it, on average.
inline constexpr uint32_t kBookLearners = 8;
inline constexpr uint32_t kBookLearnsOneIn = 16;

inline constexpr uint32_t kBookSites = 84;
struct BookFile {
  Cell<uint64_t> identity;  // a hash of what the kernel tells a file by; 0: free
  Cell<uint32_t> learners;  // processes that have mapped it and learn
  uint32_t reserved[5];
  BookSite sites[kBookSites];
};
static_assert(sizeof(BookFile) == 2048);
inline constexpr uint32_t kBookFiles = 32;

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_BOOK_H_
