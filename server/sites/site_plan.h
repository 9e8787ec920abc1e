// How a call site can take a jump, which needs more than the two bytes of the call, where the one instruction behind it
// cannot move: an instruction in front of it gives its place.
#ifndef GUISE_SERVER_SITES_SITE_PLAN_H_
#define GUISE_SERVER_SITES_SITE_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace guise::server {

inline constexpr size_t kCallSize = 2;
inline constexpr size_t kJumpSize = 5;

// Of a call's function, what stands in front of the call: how far in front of it, wire::kBookMostAhead at most, the
// nearest instruction begins that a jump has room in, that does not fault, and that can move with all others up to the
// call; 0: there is none. nullopt: who decodes the function from its beginning does not meet the call.
std::optional<size_t> AheadOf(absl::Span<const uint8_t> front);

// Whether the instruction that `behind`, the text behind a call, begins with cannot move alone to make room for a jump.
bool IsHard(absl::Span<const uint8_t> behind);

}  // namespace guise::server

#endif  // GUISE_SERVER_SITES_SITE_PLAN_H_
