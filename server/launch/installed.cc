#include "server/launch/installed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/launch/errno_status.h"

namespace guise::server {
namespace {

// The directory of the running binary, without a slash at its end; empty when the kernel does not tell.
std::string BinaryDirectory() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0 || length == static_cast<ssize_t>(sizeof(path))) return "";
  const std::string whole(path, static_cast<size_t>(length));
  return whole.substr(0, whole.rfind('/'));
}

std::string Locate(const char* variable, const char* relative) {
  if (const char* set = getenv(variable); set != nullptr && *set != '\0') return set;
  return absl::StrCat(BinaryDirectory(), "/", relative);
}

}  // namespace

absl::StatusOr<OwnedFd> OpenShimImage() {
  const std::string path = Locate("GUISE_SHIM_PATH", "../libexec/guise/guise-shim");
  OwnedFd image(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!image) {
    return ErrnoStatus(errno, absl::StrCat("the shim's image ", path), "install Guise again, or set GUISE_SHIM_PATH");
  }
  if (faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) != 0) {
    return ErrnoStatus(errno, absl::StrCat("the shim's image ", path, " cannot be executed"),
                       "check its mode, and that its file system is not mounted noexec");
  }
  return image;
}

absl::StatusOr<std::string> FindServerBinary() {
  std::string path = Locate("GUISE_SERVER_PATH", "guised");
  if (access(path.c_str(), X_OK) != 0) {
    return ErrnoStatus(errno, absl::StrCat("the server ", path), "install Guise again, or set GUISE_SERVER_PATH");
  }
  return path;
}

}  // namespace guise::server
