// Files of the host that tell what old calls ask for.
#ifndef GUISE_PERSONALITIES_LEGACY_HOST_FILE_H_
#define GUISE_PERSONALITIES_LEGACY_HOST_FILE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "personalities/api/call.h"
#include "personalities/api/result.h"
#include "personalities/api/task.h"

namespace guise::personalities {

// Reads up to `size` bytes of the file from `offset` on into `room`, an Argument of a Room as large: how many there
// were, or why there were none.
api::Task<api::SysResult> ReadHostFile(api::Call& call, const char* path, api::Argument room, uint64_t size,
                                       uint64_t offset);

// What has been read: `size` bytes, or as many as the room has.
template <size_t kSize>
std::string TextOf(const api::Call& call, api::Room<std::array<char, kSize>> room, uint64_t size) {
  const std::array<char, kSize> text = call.Read(room);
  return std::string(text.data(), std::min<uint64_t>(size, kSize));
}

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_LEGACY_HOST_FILE_H_
