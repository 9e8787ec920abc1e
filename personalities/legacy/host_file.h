// Files of the host that tell what old calls ask for.
#ifndef GUISE_PERSONALITIES_LEGACY_HOST_FILE_H_
#define GUISE_PERSONALITIES_LEGACY_HOST_FILE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "personalities/api/call.h"
#include "personalities/api/result.h"
#include "personalities/api/task.h"

namespace guise::personalities {

// Reads up to `size` bytes of the file from `offset` on into `room`, an Argument of a Room as large: how many there
// were, or why there were none.
api::Task<api::SysResult> ReadHostFile(api::Call& call, const char* path, api::Argument room, uint64_t size,
                                       uint64_t offset);

// What has been read, with a NUL behind it. Large: no local of a coroutine, whose frame has no room for it.
template <size_t kSize>
struct HostText {
  std::array<char, kSize + 1> bytes;
  size_t size;

  std::string_view view() const { return {bytes.data(), size}; }
};

// `size` bytes, or as many as the room has.
template <size_t kSize>
HostText<kSize> TextOf(const api::Call& call, api::Room<std::array<char, kSize>> room, uint64_t size) {
  HostText<kSize> text;
  const std::array<char, kSize> bytes = call.Read(room);
  std::copy(bytes.begin(), bytes.end(), text.bytes.begin());
  text.size = std::min<uint64_t>(size, kSize);
  text.bytes[text.size] = 0;
  return text;
}

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_LEGACY_HOST_FILE_H_
