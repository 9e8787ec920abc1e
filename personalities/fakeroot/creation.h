// What the handlers of this folder share of the owners of what calls make; see creation.cc.
#ifndef GUISE_PERSONALITIES_FAKEROOT_CREATION_H_
#define GUISE_PERSONALITIES_FAKEROOT_CREATION_H_

#include <cstddef>

#include "personalities/api/call.h"
#include "personalities/api/files.h"

namespace guise::personalities {

// Whether what the caller makes may have another owner than the one that the session's own files are shown with.
bool GivesOwners(api::Call& call);

// Of a set-group-ID directory: what is made in it has its group.
bool HandsGroupDown(const api::FileStatus& file);

// Whether it may make a file. Then it takes so many native calls more at most.
bool MayCreate(const api::Call& call);
inline constexpr size_t kMoreCallsToCreate = 3;

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_FAKEROOT_CREATION_H_
