#include "server/floor/restriction.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/floor/explain.h"
#include "server/floor/landlock.h"
#include "server/floor/made_filters.h"
#include "server/floor/policy.h"
#include "server/floor/privileges.h"
#include "server/launch/errno_status.h"

namespace guise::server {
namespace {

constexpr const char* kDevices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};

bool HasRuleBelow(const v1::SandboxPolicy& policy, const std::string& path) {
  return std::any_of(policy.paths().begin(), policy.paths().end(),
                     [&](const v1::PathRule& rule) { return rule.path() != path && IsAtOrBelow(rule.path(), path); });
}

}  // namespace

// Landlock grants access to all that is below a path; so where a rule below grants less, the path's own entries are
// granted one by one, as they are now. Links among them are granted with what they lead to, or not at all.
void Restriction::Walk(const v1::SandboxPolicy& policy, const std::string& path) {
  const v1::Access access = AccessOf(policy, path);
  if (!HasRuleBelow(policy, path)) {
    if (IsSeen(access)) grants_.push_back({path, access == v1::ACCESS_READ_WRITE});
    return;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), &closedir);
  if (directory == nullptr) return;
  while (const dirent* const entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || entry->d_type == DT_LNK) continue;
    const std::string child = absl::StrCat(path == "/" ? "" : path, "/", name);
    // Of the host's own, which a sandbox with namespaces has replaced.
    if (child != "/dev") Walk(policy, child);
  }
}

absl::StatusOr<Restriction> Restriction::Prepare(const v1::SandboxPolicy& policy,
                                                 const std::string& working_directory) {
  if (absl::Status status = CheckPossible(policy, LookAtHost()); !status.ok()) return status;
  Restriction restriction;
  restriction.Walk(policy, "/");
  char path[] = "/tmp/guise-sandbox-XXXXXX";
  if (mkdtemp(path) == nullptr) return ErrnoStatus(errno, "cannot make a temporary directory in /tmp");
  restriction.temporary_ = path;
  // Landlock's rules take no links.
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path, nullptr), &free);
  restriction.grants_.push_back({real == nullptr ? path : real.get(), true});
  if (working_directory.empty() || !IsSeen(AccessOf(policy, working_directory))) restriction.moved_to_ = "/";
  restriction.in_own_session_ = !HasTerminal();
  FilterGaps gaps = GapsOfLandlock();
  // No mount keeps the others either.
  gaps.lengths = !LandlockKeepsLengths();
  gaps.namespaces = true;
  gaps.network = policy.network() != v1::NETWORK_HOST;
  gaps.set_ids = geteuid() == 0;
  restriction.filter_ = MadeSandboxFilter(gaps);
  return restriction;
}

Restriction& Restriction::operator=(Restriction&& from) noexcept {
  std::swap(temporary_, from.temporary_);
  std::swap(grants_, from.grants_);
  std::swap(moved_to_, from.moved_to_);
  std::swap(in_own_session_, from.in_own_session_);
  std::swap(filter_, from.filter_);
  return *this;
}

Restriction::~Restriction() {
  std::error_code ignored;
  if (!temporary_.empty()) std::filesystem::remove_all(temporary_, ignored);
}

bool Restriction::Enter(int image, ConfinementFailure* failure) const {
  if (!moved_to_.empty() && chdir(moved_to_.c_str()) != 0) return Fail(failure, "cannot enter", moved_to_.c_str());
  if (in_own_session_) setsid();
  // Root need not have the one that locks them, nor need a user have none. ABI: capabilities(7): with no_new_privs,
  // which follows, an exec brings none that the process had not before, to uid 0 either.
  if (!LockCapabilities() && errno != EPERM) return Fail(failure, "cannot lock capabilities");
  if (!DropCapabilities()) return Fail(failure, "cannot drop capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Fail(failure, "cannot give up new privileges");
  LandlockDomain domain;
  if (!domain.Begin(true)) return Fail(failure, "cannot make a Landlock domain");
  for (const Grant& grant : grants_) {
    // What has gone meanwhile, or is not for this user, is not for guests.
    if (!domain.Allow(grant.path.c_str(), grant.writes) && errno != ENOENT && errno != EACCES) {
      return Fail(failure, "cannot allow what is below", grant.path.c_str());
    }
  }
  for (const char* const device : kDevices) domain.Allow(device, true);
  if (image >= 0 && !domain.AllowProgram(image)) return Fail(failure, "cannot allow the shim's image");
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) domain.AllowDescriptor(fd);
  if (!domain.Enter()) return Fail(failure, "cannot enter the Landlock domain");
  return InstallFilter(filter_) || Fail(failure, "cannot set the system call filter");
}

}  // namespace guise::server
