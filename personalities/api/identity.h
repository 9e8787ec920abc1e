// Identity: the credentials that a process believes to have. See credentials(7).
#ifndef GUISE_PERSONALITIES_API_IDENTITY_H_
#define GUISE_PERSONALITIES_API_IDENTITY_H_

#include <linux/capability.h>
#include <sys/types.h>

#include <algorithm>
#include <cstdint>

#include "absl/container/inlined_vector.h"

namespace guise::api {

// Real, effective, saved and filesystem id.
struct Ids {
  uint32_t real = 0;
  uint32_t effective = 0;
  uint32_t saved = 0;
  uint32_t filesystem = 0;

  // One of the three that an unprivileged process may switch among.
  bool HasAmongRes(uint32_t id) const { return id == real || id == effective || id == saved; }
  friend bool operator==(const Ids&, const Ids&) = default;
};

// Sets of capabilities, capabilities(7): bit n is capability n.
struct Capabilities {
  static constexpr uint64_t kAll = (uint64_t{1} << (CAP_LAST_CAP + 1)) - 1;

  uint64_t permitted = 0;
  uint64_t effective = 0;
  uint64_t inheritable = 0;
  friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

struct Identity {
  Ids uid;
  Ids gid;
  Capabilities capabilities;
  // Supplementary groups, rising, as Linux keeps them. Longer lists are on the heap.
  absl::InlinedVector<uint32_t, 32> groups;

  // Root as a login shell has it.
  static Identity Root() {
    Identity root;
    root.capabilities = {Capabilities::kAll, Capabilities::kAll, 0};
    root.groups.push_back(0);
    return root;
  }

  // Whether it has a capability, one of CAP_*.
  bool May(int capability) const { return (capabilities.effective >> capability & 1) != 0; }
  bool InGroup(uint32_t id) const {
    return gid.filesystem == id || std::find(groups.begin(), groups.end(), id) != groups.end();
  }

  // What remains after a successful execve(2) of a program without set-user-ID. ABI: security/commoncap.c,
  // handle_privileged_root(), and file capabilities that nobody honours.
  Identity AfterExec() const {
    Identity next = *this;
    next.uid.saved = next.uid.filesystem = uid.effective;
    next.gid.saved = next.gid.filesystem = gid.effective;
    const bool is_root = uid.real == 0 || uid.effective == 0;
    next.capabilities.permitted = is_root ? Capabilities::kAll | capabilities.inheritable : 0;
    next.capabilities.effective = uid.effective == 0 ? next.capabilities.permitted : 0;
    return next;
  }

  friend bool operator==(const Identity&, const Identity&) = default;
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_IDENTITY_H_
