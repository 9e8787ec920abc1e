// Identity: the credentials that a process believes to have. See credentials(7).
#ifndef GUISE_PERSONALITIES_API_IDENTITY_H_
#define GUISE_PERSONALITIES_API_IDENTITY_H_

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

struct Identity {
  Ids uid;
  Ids gid;
  // Supplementary groups, rising, as Linux keeps them. Longer lists are on the heap.
  absl::InlinedVector<uint32_t, 32> groups;

  // Root as a login shell has it.
  static Identity Root() {
    Identity root;
    root.groups.push_back(0);
    return root;
  }

  // Capabilities follow from the ids: the full permitted set is kept for as long as one of the user ids is 0, the
  // effective set is full when the effective id is 0, and the file capabilities go with the filesystem id.
  // ABI: security/commoncap.c, cap_emulate_setxuid() and cap_task_fix_setuid().
  bool MaySetIds() const { return uid.effective == 0; }      // CAP_SETUID, CAP_SETGID
  bool MayChown() const { return uid.filesystem == 0; }      // CAP_CHOWN
  bool MayOverride() const { return uid.filesystem == 0; }   // CAP_DAC_OVERRIDE, CAP_MKNOD
  bool MayAdminister() const { return uid.effective == 0; }  // CAP_SYS_ADMIN, CAP_SETFCAP
  bool InGroup(uint32_t id) const {
    return gid.filesystem == id || std::find(groups.begin(), groups.end(), id) != groups.end();
  }

  // What remains after a successful execve(2) of a program without set-user-ID.
  Identity AfterExec() const {
    Identity next = *this;
    next.uid.saved = next.uid.filesystem = uid.effective;
    next.gid.saved = next.gid.filesystem = gid.effective;
    return next;
  }

  friend bool operator==(const Identity&, const Identity&) = default;
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_IDENTITY_H_
