// What has happened in a session, as far as it decides where calls are answered. It only grows.
#ifndef GUISE_SERVER_STORE_PAST_H_
#define GUISE_SERVER_STORE_PAST_H_

#include <cstddef>
#include <cstdint>

namespace guise::server {

enum class KeptGroups : uint8_t {
  kNone,
  kOfDirectory,  // a directory is shown with a group that the session keeps
  kInherited,    // one that has the set-group-ID bit: what is made in it gets its group
};

struct Past {
  static constexpr size_t kCount = 24;

  bool diverged = false;          // some process has, or had, another identity than the one it started with
  bool keeps_attributes = false;  // an extended attribute is kept, or was
  KeptGroups groups = KeptGroups::kNone;
  bool keeps_block_devices = false;  // a file is shown as a block device, or was

  // Below kCount; of the Past that nothing has happened in: 0.
  constexpr size_t index() const {
    return (diverged ? 1 : 0) + (keeps_attributes ? 2 : 0) + (keeps_block_devices ? 4 : 0) +
           8 * static_cast<size_t>(groups);
  }
  // REQUIRES: index < kCount.
  static constexpr Past At(size_t index) {
    return {(index & 1) != 0, (index & 2) != 0, static_cast<KeptGroups>(index / 8), (index & 4) != 0};
  }
  // Whether a file may be made whose owner is not the one that all of the session's files are shown with.
  constexpr bool owners_vary() const { return diverged || groups == KeptGroups::kInherited; }

  friend constexpr bool operator==(const Past&, const Past&) = default;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_STORE_PAST_H_
