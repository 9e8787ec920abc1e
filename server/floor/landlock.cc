#include "server/floor/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace guise::server {
namespace {

// ABI: Documentation/userspace-api/landlock.rst; later versions' rights, by number where the headers are older.
constexpr uint64_t kRefer = 1ULL << 13;     // 2
constexpr uint64_t kTruncate = 1ULL << 14;  // 3
constexpr uint64_t kReads = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kFiles =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr uint64_t kFirst = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

// ABI: struct landlock_ruleset_attr of version 6; headers may be older.
struct RulesetAttributes {
  uint64_t files;
  uint64_t net;
  uint64_t scoped;
};
constexpr uint64_t kScopeSignal = 1ULL << 1;
constexpr int kWithTruncate = 3;
constexpr int kWithScopes = 6;

int Version() {
  return static_cast<int>(syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

}  // namespace

bool HasLandlock() { return Version() > 0; }
bool LandlockKeepsSignals() { return Version() >= kWithScopes; }
bool LandlockKeepsLengths() { return Version() >= kWithTruncate; }

bool LandlockDomain::Begin(bool keeps_signals) {
  const int version = Version();
  if (version <= 0) return false;
  handled_ = kFirst | (version >= 2 ? kRefer : 0) | (version >= kWithTruncate ? kTruncate : 0);
  const RulesetAttributes attributes = {handled_, 0, kScopeSignal};
  const size_t size = version >= kWithScopes && keeps_signals ? sizeof(attributes) : sizeof(attributes.files);
  ruleset_ = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  return ruleset_ >= 0;
}

bool LandlockDomain::Add(int file, uint64_t rights) const {
  struct stat status;
  if (fstat(file, &status) != 0) return false;
  if (!S_ISDIR(status.st_mode)) rights &= kFiles;
  const landlock_path_beneath_attr rule = {.allowed_access = rights & handled_, .parent_fd = file};
  return syscall(SYS_landlock_add_rule, ruleset_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

bool LandlockDomain::Allow(const char* path, bool writes) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const int file = static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
  if (file < 0) return false;
  const bool added = Add(file, writes ? handled_ : kReads);
  close(file);
  return added;
}

bool LandlockDomain::AllowProgram(int file) const {
  return Add(file, LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE);
}

void LandlockDomain::AllowDescriptor(int fd) const {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return;  // not open
  char path[32];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  const int file = open(path, O_PATH | O_CLOEXEC);
  if (file < 0) return;  // a pipe or socket: no file of a file system
  uint64_t rights = LANDLOCK_ACCESS_FS_READ_FILE;
  if ((flags & O_ACCMODE) != O_RDONLY) rights |= LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
  // Files of the kernel's own file systems (pipes) need no rule and take none.
  Add(file, rights);
  close(file);
}

bool LandlockDomain::Enter() {
  const bool entered = syscall(SYS_landlock_restrict_self, ruleset_, 0) == 0;
  close(ruleset_);
  return entered;
}

}  // namespace guise::server
