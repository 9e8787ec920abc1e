// How the text around a call site can take a jump that needs more than the two bytes of the call, where the one
// instruction behind it cannot move.
#ifndef GUISE_SERVER_SITES_SITE_PLAN_H_
#define GUISE_SERVER_SITES_SITE_PLAN_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace guise::server {

// A call in a function.
struct SiteInFunction {
  absl::Span<const uint8_t> function;  // all of it, or as far as the call's end
  size_t site;                         // of the bytes of the syscall instruction in it
};

// A jump on two bytes, the site's, leads so far from its end.
inline constexpr size_t kFarthestJump = 127;
inline constexpr size_t kCallSize = 2;
inline constexpr size_t kJumpSize = 5;
// A stub has room for so many bytes of what stands in front of a call.
inline constexpr size_t kMostAhead = 16;

struct FoundInFunction {
  // The bytes are an instruction: who decodes the function from its beginning meets it.
  bool is_met = false;
  // A place for a jump, in the operand of a long nop that is never come to: from the site; 0: there is none.
  size_t jump_at = 0;
  // An instruction in front of the call that takes a jump, whoever else leads to what: it and the others up to the call
  // can move; its distance from the site; 0: there is none.
  size_t ahead = 0;
};
// What the function itself tells.
FoundInFunction LookAround(const SiteInFunction& site);

// Whether the instruction that `behind`, the text behind a call, begins with cannot move alone to make room for a jump.
bool IsHard(absl::Span<const uint8_t> behind);

// Whether a function, all of it, ends with an instruction that nothing behind it is come to from.
bool EndsItsPath(absl::Span<const uint8_t> function);

// Where in `gap`, bytes between two functions, a jump takes the place of nops alone; its size: nowhere.
size_t JumpInGap(absl::Span<const uint8_t> gap);
// The same where somebody may come to the gap from in front of it: only the operand of a nop may change, which stays
// one.
size_t JumpInNop(absl::Span<const uint8_t> gap);

}  // namespace guise::server

#endif  // GUISE_SERVER_SITES_SITE_PLAN_H_
