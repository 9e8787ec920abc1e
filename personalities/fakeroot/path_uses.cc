#include "personalities/fakeroot/path_uses.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

namespace guise::personalities {

using api::Call;
using api::FileStatus;
using api::Nr;

const PathUse& NamingOf(Nr nr) {
  return *std::find_if(std::begin(kPathUses), std::end(kPathUses), [nr](const PathUse& use) { return use.nr == nr; });
}

PathUse UseIn(const Call& call, PathUse use) {
  switch (use.nr) {
    case Nr::open:
    case Nr::openat: {
      const int flags = call.Arg<int>(use.at + 1);
      const int mode = flags & O_ACCMODE;
      if ((flags & O_CREAT) == 0) use.parent = 0;
      use.object = (mode != O_WRONLY ? kRead : 0) | (mode != O_RDONLY || (flags & O_TRUNC) != 0 ? kWrite : 0);
      if ((flags & O_PATH) != 0) use.object = 0;
      return use;
    }
    case Nr::access:
    case Nr::faccessat:
    case Nr::faccessat2: {
      const int asked = call.Arg<int>(use.at + 1);
      use.object =
          ((asked & R_OK) != 0 ? kRead : 0) | ((asked & W_OK) != 0 ? kWrite : 0) | ((asked & X_OK) != 0 ? kExecute : 0);
      return use;
    }
    default:
      return use;
  }
}

int StartOf(const Call& call, const PathUse& use) { return use.has_directory ? call.Arg<int>(use.at - 1) : AT_FDCWD; }

uint32_t NeededOf(const FileStatus& file, uint32_t wanted) {
  const bool is_directory = S_ISDIR(file.mode);
  if ((wanted & kMoved) != 0) return is_directory ? kWrite | kSearch : 0;
  const bool executes = (wanted & kExecute) != 0 && (file.mode & 0111) != 0;
  if (executes || (is_directory && wanted != 0)) wanted |= kSearch;
  return wanted & (kRead | kWrite | kSearch);
}

}  // namespace guise::personalities
