#include "server/launch/runtime_directory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/launch/errno_status.h"

namespace guise::server {
namespace {

constexpr char kChooseAnother[] = "set GUISE_RUNTIME_DIR to a directory of your own";

absl::Status CheckPath(const std::string& path) {
  if (path.empty() || path[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat("runtime directory \"", path,
                                                   "\": the path is relative, and the server would not find it from "
                                                   "its own place; set GUISE_RUNTIME_DIR to an absolute path"));
  }
  constexpr size_t kLongest = sizeof(sockaddr_un{}.sun_path) - 1;
  const size_t length = path.size() + sizeof("/control.sock") - 1;
  if (length > kLongest) {
    return absl::InvalidArgumentError(
        absl::StrFormat("runtime directory %s: its control socket's path would have %d bytes, and a unix socket's may "
                        "have %d; set GUISE_RUNTIME_DIR to a shorter path",
                        path, length, kLongest));
  }
  return absl::OkStatus();
}

absl::Status CheckDirectory(const std::string& path) {
  struct stat st;
  if (lstat(path.c_str(), &st) != 0)
    return ErrnoStatus(errno, absl::StrCat("runtime directory ", path), kChooseAnother);
  if (!S_ISDIR(st.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("runtime directory ", path, ": not a directory; remove it or ", kChooseAnother));
  }
  if (st.st_uid != geteuid()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("runtime directory %s: owned by uid %d, and you are uid %d; remove it or %s", path, st.st_uid,
                        geteuid(), kChooseAnother));
  }
  if ((st.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("runtime directory %s: its mode is %04o, so others can reach the server; chmod 0700 it or %s",
                        path, st.st_mode & 07777, kChooseAnother));
  }
  return absl::OkStatus();
}

}  // namespace

std::string RuntimeDirectory::DefaultPath() {
  if (const char* set = getenv("GUISE_RUNTIME_DIR"); set != nullptr && *set != '\0') return set;
  if (const char* xdg = getenv("XDG_RUNTIME_DIR"); xdg != nullptr && *xdg == '/') {
    struct stat st;
    if (stat(xdg, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid()) return absl::StrCat(xdg, "/guise");
  }
  if (geteuid() == 0) return "/run/guise";
  return absl::StrCat("/tmp/guise-", geteuid());
}

absl::StatusOr<RuntimeDirectory> RuntimeDirectory::Make(std::string path) {
  if (absl::Status status = CheckPath(path); !status.ok()) return status;
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("cannot make the runtime directory ", path), kChooseAnother);
  }
  if (absl::Status status = CheckDirectory(path); !status.ok()) return status;
  return RuntimeDirectory(std::move(path));
}

absl::StatusOr<RuntimeDirectory> RuntimeDirectory::Open(std::string path) {
  if (absl::Status status = CheckPath(path); !status.ok()) return status;
  if (absl::Status status = CheckDirectory(path); !status.ok()) return status;
  return RuntimeDirectory(std::move(path));
}

}  // namespace guise::server
