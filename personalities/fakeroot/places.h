// Places: files as handlers of this folder name them to the kernel.
#ifndef GUISE_PERSONALITIES_FAKEROOT_PLACES_H_
#define GUISE_PERSONALITIES_FAKEROOT_PLACES_H_

#include <fcntl.h>

#include <string_view>

#include "personalities/api/call.h"
#include "personalities/api/files.h"
#include "personalities/api/result.h"
#include "personalities/api/task.h"
#include "personalities/fakeroot/path_uses.h"

namespace guise::personalities {

// As statx(2) takes it.
struct Place {
  api::Argument start = AT_FDCWD;
  api::Argument path;
  int flags = 0;
};

// What one of the call's paths names.
Place NamedBy(api::Call& call, const PathUse& naming, int flags);
// Likewise what the directory has by the last name, whether or not slashes follow it; links are not followed.
Place EntryBy(api::Call& call, const PathUse& naming);

std::string_view WithoutSlashes(std::string_view path);

// The directory that the last name of a path is in.
Place ParentOf(api::Call& call, api::Argument start, std::string_view path);
Place ParentBy(api::Call& call, const PathUse& naming);

api::Task<api::SysResultOr<api::FileStatus>> StatusOf(api::Call& call, Place place);

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_FAKEROOT_PLACES_H_
