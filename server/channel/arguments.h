// Copies of what a call's arguments point to: from the slot's inbound payload into memory of the server's own, once.
#ifndef GUISE_SERVER_CHANNEL_ARGUMENTS_H_
#define GUISE_SERVER_CHANNEL_ARGUMENTS_H_

#include <cstdint>
#include <string_view>

#include "absl/types/span.h"
#include "proto/wire/slot.h"

namespace guise::server {

// A call's copies fill at most the first half of the payload.
inline constexpr uint64_t kCopiesSize = wire::kRunAreaOffset;

// Copies `size` bytes that may change meanwhile: what is copied is some mixture of old and new.
void CopyOnce(char* to, const char* from, uint64_t size);

// For each argument i with offsets[i] != 0 (RunLine::copies), copies what it points to, by its kind in the syscall
// table, from `inbound` to `buffer`, and sets copies[i]; the others become null. Paths and strings end before their
// NUL. REQUIRES: `buffer` has kCopiesSize bytes and lives as long as the copies; `inbound` is a slot's inbound payload.
// False: a bad post: an offset or length outside of the payload's first half, a string without an end, an argument that
// is no pointer, or more than fits.
bool CopyArguments(uint32_t nr, const uint64_t (&args)[6], const uint16_t (&offsets)[6], const char* inbound,
                   absl::Span<char> buffer, std::string_view (&copies)[6]);

}  // namespace guise::server

#endif  // GUISE_SERVER_CHANNEL_ARGUMENTS_H_
