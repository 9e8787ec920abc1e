// What the handlers of this folder share of root's power over modes; see power.cc.
#ifndef GUISE_PERSONALITIES_FAKEROOT_POWER_H_
#define GUISE_PERSONALITIES_FAKEROOT_POWER_H_

#include <fcntl.h>

#include "personalities/api/call.h"
#include "personalities/api/files.h"
#include "personalities/api/result.h"
#include "personalities/api/task.h"

namespace guise::personalities {

// What is made with the modes lent, with the paths of the guest's call.
struct Again {
  const api::Call* call;
  const api::Call* otherwise = nullptr;  // made if that is refused with EPERM
  api::FileStatus* status = nullptr;     // of what has been made; null: not wanted
  int status_flags = AT_SYMLINK_NOFOLLOW;
  bool is_status_of_refused = false;  // also of what the call has been refused on with EPERM
};

// As things are.
api::Task<api::SysResult> MakeAgain(api::Call& call, api::Below below, const Again& again);

// Makes a call, which has failed with EACCES, with the permission bits lent that it lacks. EACCES: there was nothing to
// lend.
api::Task<api::SysResult> WithModesLent(api::Call& call, api::Below below, const Again& again);

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_FAKEROOT_POWER_H_
