#include "server/floor/confinement.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/floor/explain.h"
#include "server/floor/hidden_objects.h"
#include "server/floor/landlock.h"
#include "server/floor/made_filters.h"
#include "server/floor/mounts.h"
#include "server/floor/policy.h"
#include "server/floor/privileges.h"
#include "server/launch/errno_status.h"

namespace guise::server {
namespace {

bool WriteFile(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

// The number by which its directory lists a path: that of what a mount there covers. 0: it does not.
ino_t ListedAs(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.substr(0, std::max<size_t>(slash, 1)).c_str()),
                                                      &closedir);
  if (directory == nullptr) return 0;
  while (const dirent* const entry = readdir(directory.get())) {
    if (path.compare(slash + 1, std::string::npos, entry->d_name) == 0) return entry->d_ino;
  }
  return 0;
}

// Those of Confinement::Quiet that the host's /sys has. At some of them file systems of their own are mounted.
constexpr const char* kQuietOfSys[] = {"/sys/firmware", "/sys/kernel/debug", "/sys/kernel/security",
                                       "/sys/kernel/tracing", "/sys/module"};

// Whether rules behind `rule` show something below what it hides: then there is a directory on the way there.
bool HasVisibleBelow(const v1::SandboxPolicy& policy, int rule) {
  return std::any_of(policy.paths().begin() + rule + 1, policy.paths().end(), [&](const v1::PathRule& later) {
    const std::string& hidden = policy.paths(rule).path();
    return later.access() != v1::ACCESS_HIDDEN && later.path() != hidden && IsAtOrBelow(later.path(), hidden);
  });
}

bool RaiseLoopback() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  ifreq request = {};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool raised = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  close(fd);
  return raised;
}

// Replaces the descriptor by one on a read-only mount.
bool TakeImage(int image, const char* path) {
  const int tree = CloneTree(path);
  constexpr uint64_t kQuiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  return tree >= 0 && SetAttributes(tree, "", AT_EMPTY_PATH, kQuiet | MOUNT_ATTR_RDONLY) &&
         dup3(tree, image, O_CLOEXEC) >= 0;
}

}  // namespace

absl::StatusOr<Confinement> Confinement::Prepare(const v1::SandboxPolicy& policy, const std::string& working_directory,
                                                 pid_t guest) {
  Confinement confinement;
  confinement.joins_ = guest != 0;
  confinement.has_user_namespace_ = geteuid() != 0;
  confinement.uid_map_ = absl::StrFormat("%d %d 1\n", geteuid(), geteuid());
  confinement.gid_map_ = absl::StrFormat("%d %d 1\n", getegid(), getegid());
  if (static_cast<size_t>(policy.paths_size()) > kMostRules) {
    return absl::InvalidArgumentError(
        absl::StrCat("the policy has ", policy.paths_size(), " rules of paths; at most ", kMostRules));
  }
  for (int i = 0; i < policy.paths_size(); ++i) {
    const v1::PathRule& rule = policy.paths(i);
    // The new root is read-only before any rule.
    if (confinement.rules_.empty() && rule.path() == "/" && rule.access() == v1::ACCESS_READ_ONLY) continue;
    struct stat status;
    if (stat(rule.path().c_str(), &status) != 0) {
      return ErrnoStatus(errno, absl::StrCat("the policy's path \"", rule.path(), "\""));
    }
    const bool is_directory = S_ISDIR(status.st_mode);
    if (rule.access() == v1::ACCESS_TEMPORARY && !is_directory) {
      return absl::InvalidArgumentError(
          absl::StrCat("the policy's path \"", rule.path(), "\" is no directory; tmp is for those"));
    }
    const bool hides = rule.access() == v1::ACCESS_HIDDEN;
    const bool absent = hides && !HasVisibleBelow(policy, i);
    bool is_gone = false;  // already
    for (Rule& earlier : confinement.rules_) {
      if (IsAtOrBelow(rule.path(), earlier.source)) is_gone = earlier.absent;
      earlier.covered |= IsAtOrBelow(earlier.source, rule.path());
    }
    if (is_gone && hides) continue;
    confinement.rules_.push_back({rule.path(), rule.path() == "/" ? kStage : kStage + rule.path(), rule.access(),
                                  is_directory, absent, false, absent ? ListedAs(rule.path()) : 0,
                                  absl::StrFormat("mode=%o", hides ? 0755 : status.st_mode & 07777)});
  }
  for (const char* const path : kQuietOfSys) {
    confinement.quiet_of_sys_.push_back({absl::StrCat(kStage, path), ListedAs(path)});
  }
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "descriptor ", fd, " is a directory of the host's, a way around the sandbox's mounts; redirect it"));
  }
  confinement.in_own_session_ = !HasTerminal();
  if (!confinement.joins_) confinement.input_ = GivenInput::Of(policy, kStage);
  confinement.Pin();
  confinement.hostname_ = policy.hostname();
  confinement.network_ = policy.network();
  confinement.processes_ = policy.processes();
  confinement.working_directory_ = working_directory;
  if (working_directory.empty() || !IsSeen(AccessOf(policy, working_directory))) {
    confinement.working_directory_ = confinement.moved_to_ = "/";
  }
  FilterGaps gaps = GapsOfLandlock();
  // A Landlock domain of its own would keep its signals from those who are there already.
  gaps.signals |= confinement.joins_;
  gaps.set_ids = geteuid() == 0;
  confinement.filter_ = MadeSandboxFilter(gaps);
  if (confinement.joins_) {
    absl::StatusOr<ProcessCgroup> cgroup = ProcessCgroup::Of(guest);
    if (!cgroup.ok()) return cgroup.status();
    confinement.cgroup_ = *std::move(cgroup);
  } else if (geteuid() == 0) {
    // guise-init counts, as it does for RLIMIT_NPROC. Where a limit was asked for, CheckEnforced() has refused.
    absl::StatusOr<ProcessCgroup> cgroup = ProcessCgroup::Make(policy.processes());
    if (!cgroup.ok()) confinement.no_limit_ = WhyNoLimit(cgroup.status());
    if (cgroup.ok()) confinement.cgroup_ = *std::move(cgroup);
  }
  return confinement;
}

void Confinement::Pin() {
  std::set<std::string> mounted;
  for (Rule& rule : rules_) {
    const Rule* above = nullptr;
    for (const Rule& other : rules_) {
      if (&other == &rule) break;
      if (IsAtOrBelow(rule.source, other.source)) above = &other;
    }
    mounted.insert(rule.target);
    if (above == nullptr || above->access == v1::ACCESS_READ_ONLY || above->access == v1::ACCESS_HIDDEN) continue;
    for (size_t slash = above->target.size(); (slash = rule.target.find('/', slash + 1)) != std::string::npos;) {
      const std::string parent = rule.target.substr(0, slash);
      if (mounted.insert(parent).second) rule.pins.push_back(parent);
    }
  }
}

bool Confinement::IsPossible() {
  const pid_t child = fork();
  if (child == 0)
    _exit(unshare(geteuid() == 0 ? CLONE_NEWNS | CLONE_NEWPID : CLONE_NEWUSER | CLONE_NEWNS) == 0 ? 0 : 1);
  int status = 0;
  // Who cannot fork either hears of it later.
  return child < 0 || (waitpid(child, &status, 0) == child && status == 0);
}

int Confinement::CloneFlags() const { return CLONE_NEWPID | (has_user_namespace_ ? CLONE_NEWUSER : 0); }

// Those that process 1 makes itself, so that the launcher goes on meanwhile.
int Confinement::Namespaces() const {
  return CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
         (network_ == v1::NETWORK_HOST ? 0 : CLONE_NEWNET);
}

bool Confinement::Enter(bool is_born_there, int image, const char* image_path, wire::Hiding* hiding,
                        ConfinementFailure* failure) const {
  if (has_user_namespace_ && !MapIds(failure)) return false;
  // A cgroup namespace begins where its maker is.
  if (!is_born_there && !cgroup_.Enter()) return Fail(failure, "cannot enter a cgroup of its own");
  if (unshare(Namespaces()) != 0) return Fail(failure, kNoNamespaces);
  if (image >= 0 && !TakeImage(image, image_path)) return Fail(failure, "cannot take the shim's image", image_path);
  HiddenObjects hidden(hiding);
  if (!MakeRoot(hidden, failure) || !EnterRoot(failure)) return false;
  if (sethostname(hostname_.data(), hostname_.size()) != 0) return Fail(failure, "cannot set the host's name");
  if (network_ == v1::NETWORK_LOOPBACK && !RaiseLoopback()) return Fail(failure, "cannot raise a loopback interface");
  // Who waits for the sandbox has gone: nobody would end it.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  return Narrow(image, failure);
}

bool Confinement::Join(bool is_born_there, int pidfd, ConfinementFailure* failure) const {
  // From here on guests see this process or its child, which has privileges that they do not.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (!is_born_there && !cgroup_.Enter()) return Fail(failure, "cannot enter the session's cgroup");
  if (setns(pidfd, CloneFlags() | Namespaces()) != 0) return Fail(failure, "cannot enter the session's namespaces");
  if (chdir(working_directory_.c_str()) != 0 && chdir("/") != 0) return Fail(failure, "cannot enter", "/");
  return true;
}

bool Confinement::MapIds(ConfinementFailure* failure) const {
  if (!WriteFile("/proc/self/setgroups", "deny")) return Fail(failure, "cannot fix the groups of a user namespace");
  if (!WriteFile("/proc/self/uid_map", uid_map_)) return Fail(failure, "cannot map the user into a user namespace");
  if (!WriteFile("/proc/self/gid_map", gid_map_)) return Fail(failure, "cannot map the group into a user namespace");
  return true;
}

bool Confinement::Narrow(int image, ConfinementFailure* failure) const {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NPROC, &limit) != 0) return Fail(failure, "cannot read the limit of processes");
  limit.rlim_cur = limit.rlim_max = std::min(limit.rlim_max, processes_);
  if (setrlimit(RLIMIT_NPROC, &limit) != 0) return Fail(failure, "cannot limit the number of processes");
  if (in_own_session_) setsid();
  // Not for guests to trace, or to read the memory of.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (!LockCapabilities() || !DropCapabilities()) return Fail(failure, "cannot drop capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Fail(failure, "cannot give up new privileges");
  if (HasLandlock() && !EnterLandlock(image, failure)) return false;
  return InstallFilter(filter_) || Fail(failure, "cannot set the system call filter");
}

// The mounts say what may be written; this, that nothing is written but through them.
bool Confinement::EnterLandlock(int image, ConfinementFailure* failure) const {
  LandlockDomain domain;
  if (!domain.Begin(!joins_)) return Fail(failure, "cannot make a Landlock domain");
  if (!domain.Allow("/", false)) return Fail(failure, "cannot allow reading below", "/");
  // Queues that mq_open(3) opens lie on the file system's own mount, below no directory.
  for (const char* const path : {"/proc", "/dev", "/dev/mqueue"}) {
    if (!domain.Allow(path, true)) return Fail(failure, "cannot allow writing below", path);
  }
  for (const Rule& rule : rules_) {
    const bool writes = rule.access == v1::ACCESS_READ_WRITE || rule.access == v1::ACCESS_TEMPORARY;
    // A later rule may have hidden it.
    if (!writes || rule.covered || domain.Allow(rule.source.c_str(), true)) continue;
    // Below what is temporary guests may have put something else there, when the sandbox is joined.
    if (errno != ENOENT && errno != EACCES && !(joins_ && (errno == ELOOP || errno == ENOTDIR))) {
      return Fail(failure, "cannot allow writing below", rule.source.c_str());
    }
  }
  // It lies on a mount of its own, below nothing.
  if (image >= 0 && !domain.AllowProgram(image)) return Fail(failure, "cannot allow the shim's image");
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) domain.AllowDescriptor(fd);
  return domain.Enter() || Fail(failure, "cannot enter the Landlock domain");
}

}  // namespace guise::server
