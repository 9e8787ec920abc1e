#include "server/floor/given_input.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

#include "server/floor/policy.h"

namespace guise::server {
namespace {

bool IsSame(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace

GivenInput GivenInput::Of(const v1::SandboxPolicy& policy, const std::string& root) {
  GivenInput input;
  struct stat given;
  const int flags = fcntl(STDIN_FILENO, F_GETFL);
  if (flags < 0 || (flags & (O_ACCMODE | O_PATH)) != O_RDONLY) return input;
  if (fstat(STDIN_FILENO, &given) != 0 || !S_ISREG(given.st_mode)) return input;
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/fd/0", path, sizeof(path));
  if (length <= 0 || length == sizeof(path) || path[0] != '/') return input;
  const std::string name(path, static_cast<size_t>(length));
  // Of a file that has been removed, the name is not one.
  struct stat there;
  if (lstat(name.c_str(), &there) != 0 || !IsSame(given, there)) return input;
  if (AccessOf(policy, name) == v1::ACCESS_READ_WRITE) return input;
  input.path_ = root + name;
  return input;
}

void GivenInput::Reopen() const {
  if (path_.empty()) return;
  const int flags = fcntl(STDIN_FILENO, F_GETFL);
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags & (O_NONBLOCK | O_NOATIME | O_DIRECT | O_APPEND)) | O_RDONLY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const int shown = static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path_.c_str(), &how, sizeof(how)));
  if (shown < 0) return;
  struct stat given, there;
  const off_t position = lseek(STDIN_FILENO, 0, SEEK_CUR);
  if (fstat(STDIN_FILENO, &given) == 0 && fstat(shown, &there) == 0 && IsSame(given, there) &&
      lseek(shown, position, SEEK_SET) == position) {
    dup2(shown, STDIN_FILENO);
  }
  close(shown);
}

GivenInput::Position::Position(const GivenInput& input) {
  if (input.path_.empty()) return;
  given_ = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  shown_ = STDIN_FILENO;
}

bool GivenInput::Position::MoveTo(int given, int shown) {
  if (given_ < 0) return false;
  dup2(shown_, shown);
  dup2(given_, given);
  given_ = given;
  shown_ = shown;
  return true;
}

void GivenInput::Position::GiveBack() const {
  if (given_ < 0) return;
  const off_t position = lseek(shown_, 0, SEEK_CUR);
  if (position >= 0) lseek(given_, position, SEEK_SET);
}

}  // namespace guise::server
