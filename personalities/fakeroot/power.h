// What the handlers of this folder share of root's power over modes; see power.cc.
#ifndef GUISE_PERSONALITIES_FAKEROOT_POWER_H_
#define GUISE_PERSONALITIES_FAKEROOT_POWER_H_

#include "personalities/api/call.h"
#include "personalities/api/result.h"
#include "personalities/api/task.h"

namespace guise::personalities {

// Makes `native` with the modes lent that the paths of `call` lack, which has failed with EACCES; `native` has the same
// paths. EACCES: nothing that could be lent was lacking.
api::Task<api::SysResult> WithModesLent(api::Call& call, api::Below below, const api::Call& native);

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_FAKEROOT_POWER_H_
