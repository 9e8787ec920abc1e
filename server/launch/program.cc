#include "server/launch/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace guise::server {
namespace {

// 0, or the errno that execve would give for reasons of the path.
int Judge(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return errno;
  if (!S_ISREG(st.st_mode)) return EACCES;
  if (faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) != 0) return errno;
  return 0;
}

absl::Status Failure(const std::string& name, int error) {
  if (error == ENOENT || error == ENOTDIR) {
    return absl::NotFoundError(absl::StrCat("cannot run \"", name, "\": ", strerror(error)));
  }
  struct stat st;
  const bool directory = stat(name.c_str(), &st) == 0 && S_ISDIR(st.st_mode) && name.find('/') != std::string::npos;
  return absl::PermissionDeniedError(
      absl::StrCat("cannot run \"", name, "\": ", directory ? "is a directory" : strerror(error)));
}

}  // namespace

absl::StatusOr<std::string> FindProgram(const std::string& name, const std::string& search) {
  if (name.empty()) return Failure(name, ENOENT);
  if (name.find('/') != std::string::npos) {
    if (int error = Judge(name); error != 0) return Failure(name, error);
    return name;
  }
  // ABI: execvp(3) of glibc goes on after these and remembers a refusal.
  bool refused = false;
  for (const absl::string_view directory : absl::StrSplit(search, ':')) {
    const std::string path = directory.empty() ? name : absl::StrCat(directory, "/", name);
    switch (const int error = Judge(path); error) {
      case 0:
        return path;
      case EACCES:
        refused = true;
        break;
      case ENOENT:
      case ENOTDIR:
      case ESTALE:
      case ENODEV:
      case ETIMEDOUT:
        break;
      default:
        return Failure(name, error);
    }
  }
  if (refused) return Failure(name, EACCES);
  return absl::NotFoundError(absl::StrCat("cannot run \"", name, "\": not found in PATH"));
}

std::string SearchPath() {
  if (const char* path = getenv("PATH"); path != nullptr) return path;
  const size_t size = confstr(_CS_PATH, nullptr, 0);
  std::vector<char> text(size + 1);
  confstr(_CS_PATH, text.data(), text.size());
  return text.data();
}

}  // namespace guise::server
