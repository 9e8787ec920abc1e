// What Linux says to those who have given root's power up and change a directory; see directories.cc.
#ifndef GUISE_PERSONALITIES_FAKEROOT_DIRECTORIES_H_
#define GUISE_PERSONALITIES_FAKEROOT_DIRECTORIES_H_

#include <string_view>

#include "personalities/api/call.h"
#include "personalities/api/result.h"
#include "personalities/api/task.h"
#include "personalities/fakeroot/places.h"

namespace guise::personalities {

// Whether root's power makes all changes the caller's to make.
bool MayChangeAll(api::Call& call);

// Whether the caller may make `entry` in `parent`: an error is Linux's. Ok: it may, or the kernel has another word to
// say. `path` is the entry's. Takes no room beside the places'.
api::Task<api::SysResult> MayMake(api::Call& call, std::string_view path, Place entry, Place parent);

// Likewise a file without a name.
api::Task<api::SysResult> MayMakeIn(api::Call& call, Place directory);

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_FAKEROOT_DIRECTORIES_H_
