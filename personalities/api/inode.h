// Files as the state of a session names them, and the changes that handlers commit.
#ifndef GUISE_PERSONALITIES_API_INODE_H_
#define GUISE_PERSONALITIES_API_INODE_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "personalities/api/identity.h"

namespace guise::api {

// One file for as long as it exists. Another that gets its inode number later has another birth time.
struct Inode {
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t number = 0;
  int64_t birth_seconds = 0;  // 0 and 0: the file system tells no birth time
  uint32_t birth_nanoseconds = 0;
  friend bool operator==(const Inode&, const Inode&) = default;
};

struct Owner {
  uint32_t uid = 0;
  uint32_t gid = 0;
  friend bool operator==(const Owner&, const Owner&) = default;
};

// Guests are shown this owner and group from now on; nullopt keeps what they see.
struct SetOwner {
  Inode inode;
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  // Type and permission bits; 0: not told. Of a directory that gets a group they decide what Once::kGroupKept and
  // Once::kOwnersVary say from now on.
  uint32_t mode = 0;
};

// What a device node is.
struct Device {
  uint32_t type = 0;  // S_IFCHR or S_IFBLK
  uint32_t major = 0;
  uint32_t minor = 0;
};

// Guests are shown this device node from now on, with the file's own permissions.
struct SetDevice {
  Inode inode;
  Device device;
};

// The session keeps this extended attribute of a file from now on, or (nullopt) no longer. At most one a call.
struct SetAttribute {
  Inode inode;
  std::string_view name;  // a literal, or of an argument's copy
  std::optional<std::string_view> value;
};

// The extended attributes of a file that the session keeps.
struct KeptAttributes {
  std::string_view names;   // each with a NUL at its end, as listxattr(2) tells them
  std::string_view values;  // for each of them the size, an uint32_t, then the value

  bool empty() const { return names.empty(); }
  // nullopt: there is none of this name.
  std::optional<std::string_view> Find(std::string_view name) const;
};

// The calling process has these credentials from now on.
struct SetIdentity {
  Identity identity;
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_INODE_H_
