#include "server/floor/confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
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
#include <unistd.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/floor/landlock.h"
#include "server/floor/policy.h"
#include "server/floor/sandbox_filter.h"
#include "server/launch/errno_status.h"

namespace guise::server {
namespace {

// The new root is put together here, and covers it for nobody but us.
constexpr char kStage[] = "/tmp";
constexpr size_t kMostRules = 256;

constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};
constexpr size_t kDeviceCount = sizeof(kDevices) / sizeof(kDevices[0]);

// What of /proc speaks of the whole host and can be written to, and what cannot be read.
constexpr const char* kReadOnly[] = {
    "/tmp/proc/sys",     "/tmp/proc/sysrq-trigger", "/tmp/proc/irq",           "/tmp/proc/bus",  "/tmp/proc/fs",
    "/tmp/proc/mtrr",    "/tmp/proc/scsi",          "/tmp/proc/dynamic_debug", "/tmp/proc/acpi", "/tmp/sys",
    "/tmp/proc/pressure"};

bool Fail(ConfinementFailure* failure, const char* what, const char* object = nullptr) {
  *failure = {errno, what, object};
  return false;
}

bool WriteFile(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

// The mounts at a path of which no part is a link: one that was put there since the path was looked up is an error.
int CloneTree(const char* path) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const int place = static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
  if (place < 0) return -1;
  const int tree = open_tree(place, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  const int error = errno;
  close(place);
  errno = error;
  return tree;
}

bool SetAttributes(int tree, const char* path, unsigned flags, uint64_t set) {
  mount_attr attributes = {};
  attributes.attr_set = set;
  return mount_setattr(tree, path, flags, &attributes, sizeof(attributes)) == 0;
}

// Puts the tree at `target`, and closes it.
bool Attach(int tree, const char* target) {
  const bool moved = move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) == 0;
  const int error = errno;
  close(tree);
  errno = error;
  return moved;
}

// A directory or file at `path`, and the directories on the way to it. Where there is one already, nothing.
bool MakePlace(const std::string& path, bool is_directory) {
  char part[PATH_MAX];
  if (path.size() >= sizeof(part)) {
    errno = ENAMETOOLONG;
    return false;
  }
  for (size_t i = 1; i <= path.size(); ++i) {
    part[i - 1] = path[i - 1];
    if (i < path.size() && path[i] != '/') continue;
    part[i] = 0;
    struct stat status;
    if (lstat(part, &status) == 0) continue;
    if (i < path.size() || is_directory) {
      if (mkdir(part, 0755) != 0) return false;
    } else {
      const int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
      if (fd < 0) return false;
      close(fd);
    }
  }
  return true;
}

// A file that nobody can read, on a file system of its own at the stage, which the new root covers: before Linux 6.15
// open_tree clones nothing of a mount that is nowhere. -1: none.
int MakeEmptyFile() {
  const int file_system = fsopen("tmpfs", FSOPEN_CLOEXEC);
  if (file_system < 0 || fsconfig(file_system, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return -1;
  const int mounted = fsmount(file_system, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (mounted < 0) return -1;
  const int file = openat(mounted, "hidden", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
  if (file >= 0) close(file);
  if (move_mount(mounted, "", AT_FDCWD, kStage, MOVE_MOUNT_F_EMPTY_PATH) == 0) return mounted;
  close(mounted);
  return -1;
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

// For good: an exec by uid 0 gains nothing either.
bool DropCapabilities() {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return false;
  }
  constexpr int kLocked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                          SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                          SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (prctl(PR_SET_SECUREBITS, kLocked, 0, 0, 0) != 0) return false;
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

}  // namespace

absl::StatusOr<Confinement> Confinement::Prepare(const v1::SandboxPolicy& policy,
                                                 const std::string& working_directory) {
  Confinement confinement;
  confinement.has_user_namespace_ = geteuid() != 0;
  confinement.uid_map_ = absl::StrFormat("%d %d 1\n", geteuid(), geteuid());
  confinement.gid_map_ = absl::StrFormat("%d %d 1\n", getegid(), getegid());
  if (static_cast<size_t>(policy.paths_size()) > kMostRules) {
    return absl::InvalidArgumentError(
        absl::StrCat("the policy has ", policy.paths_size(), " rules of paths; at most ", kMostRules));
  }
  for (const v1::PathRule& rule : policy.paths()) {
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
    for (Rule& earlier : confinement.rules_) earlier.covered |= IsAtOrBelow(earlier.source, rule.path());
    confinement.rules_.push_back({rule.path(), rule.path() == "/" ? kStage : kStage + rule.path(), rule.access(),
                                  is_directory, false,
                                  absl::StrFormat("mode=%o", hides ? 0755 : status.st_mode & 07777)});
  }
  FilterGaps gaps = {.signals = !LandlockKeepsSignals()};
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    struct stat status;
    if (fstat(fd, &status) != 0) continue;
    const bool for_reading = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
    if (S_ISREG(status.st_mode) && for_reading && !LandlockKeepsLengths()) gaps.lengths = true;
    if (!S_ISDIR(status.st_mode)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "descriptor ", fd, " is a directory of the host's, a way around the sandbox's mounts; redirect it"));
  }
  confinement.hostname_ = policy.hostname();
  confinement.network_ = policy.network();
  confinement.processes_ = policy.processes();
  confinement.working_directory_ = working_directory;
  if (!IsSeen(AccessOf(policy, working_directory))) {
    confinement.working_directory_ = confinement.moved_to_ = "/";
  }
  absl::StatusOr<std::vector<sock_filter>> filter = SandboxFilter(gaps);
  if (!filter.ok()) return filter.status();
  confinement.filter_ = *std::move(filter);
  return confinement;
}

int Confinement::CloneFlags() const {
  return CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
         (network_ == v1::NETWORK_HOST ? 0 : CLONE_NEWNET) | (has_user_namespace_ ? CLONE_NEWUSER : 0);
}

bool Confinement::Enter(int image, const char* image_path, ConfinementFailure* failure) const {
  if (has_user_namespace_ && !MapIds(failure)) return false;
  const int tree = CloneTree(image_path);
  constexpr uint64_t kQuiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (tree < 0 || !SetAttributes(tree, "", AT_EMPTY_PATH, kQuiet | MOUNT_ATTR_RDONLY) ||
      dup3(tree, image, O_CLOEXEC) < 0) {
    return Fail(failure, "cannot take the shim's image", image_path);
  }
  if (!MakeRoot(failure) || !EnterRoot(failure)) return false;
  if (sethostname(hostname_.data(), hostname_.size()) != 0) return Fail(failure, "cannot set the host's name");
  if (network_ == v1::NETWORK_LOOPBACK && !RaiseLoopback()) return Fail(failure, "cannot raise a loopback interface");
  return SetLimits(image, failure);
}

bool Confinement::MapIds(ConfinementFailure* failure) const {
  if (!WriteFile("/proc/self/setgroups", "deny")) return Fail(failure, "cannot fix the groups of a user namespace");
  if (!WriteFile("/proc/self/uid_map", uid_map_)) return Fail(failure, "cannot map the user into a user namespace");
  if (!WriteFile("/proc/self/gid_map", gid_map_)) return Fail(failure, "cannot map the group into a user namespace");
  return true;
}

bool Confinement::MakeRoot(ConfinementFailure* failure) const {
  if (mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return Fail(failure, "cannot make mounts private");
  // All that is taken from the host is taken before its paths are covered.
  const int root = CloneTree("/");
  if (root < 0) return Fail(failure, "cannot clone the mounts", "/");
  int trees[kMostRules];
  for (size_t i = 0; i < rules_.size(); ++i) {
    const bool taken = rules_[i].access == v1::ACCESS_READ_ONLY || rules_[i].access == v1::ACCESS_READ_WRITE;
    trees[i] = taken ? CloneTree(rules_[i].source.c_str()) : -1;
    if (taken && trees[i] < 0) return Fail(failure, "cannot clone the mount", rules_[i].source.c_str());
  }
  int devices[kDeviceCount];
  for (size_t i = 0; i < kDeviceCount; ++i) {
    char path[32] = "/dev/";
    strcat(path, kDevices[i]);
    devices[i] = CloneTree(path);
    if (devices[i] < 0) return Fail(failure, "cannot take the device", kDevices[i]);
  }
  const int empty_file = MakeEmptyFile();
  if (empty_file < 0) return Fail(failure, "cannot make a file system in memory");
  constexpr uint64_t kQuiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (!SetAttributes(root, "", AT_EMPTY_PATH | AT_RECURSIVE, kQuiet | MOUNT_ATTR_RDONLY)) {
    return Fail(failure, "cannot make the mounts read-only");
  }
  if (!Attach(root, kStage)) return Fail(failure, "cannot put the new root together", kStage);
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!PlaceRule(rules_[i], trees[i], empty_file, failure)) return false;
  }
  close(empty_file);
  return MakeProc(failure) && MakeDevices(devices, failure);
}

bool Confinement::PlaceRule(const Rule& rule, int tree, int empty_file, ConfinementFailure* failure) const {
  if (!MakePlace(rule.target, rule.is_directory)) return Fail(failure, "cannot make a place for", rule.source.c_str());
  const char* const target = rule.target.c_str();
  constexpr uint64_t kQuiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (tree >= 0) {
    const uint64_t read_only = rule.access == v1::ACCESS_READ_ONLY ? MOUNT_ATTR_RDONLY : 0;
    if (!SetAttributes(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, kQuiet | read_only) || !Attach(tree, target)) {
      return Fail(failure, "cannot mount", rule.source.c_str());
    }
    return true;
  }
  if (!rule.is_directory) {
    const int hidden = open_tree(empty_file, "hidden", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (hidden < 0 || !SetAttributes(hidden, "", AT_EMPTY_PATH, kQuiet | MOUNT_ATTR_RDONLY) ||
        !Attach(hidden, target)) {
      return Fail(failure, "cannot hide the file", rule.source.c_str());
    }
    return true;
  }
  if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, rule.options.c_str()) != 0) {
    return Fail(failure, "cannot mount an empty directory at", rule.source.c_str());
  }
  return true;
}

bool Confinement::MakeProc(ConfinementFailure* failure) const {
  if (mount("proc", "/tmp/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return Fail(failure,
                "cannot mount a /proc of the session's own (one that shows all of /proc must be mounted here)");
  }
  for (const char* const path : kReadOnly) {
    const int tree = CloneTree(path);
    if (tree < 0 && errno == ENOENT) continue;
    if (tree < 0 || !SetAttributes(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY) || !Attach(tree, path)) {
      return Fail(failure, "cannot make read-only", path);
    }
  }
  return true;
}

bool Confinement::MakeDevices(const int* trees, ConfinementFailure* failure) const {
  if (mount("tmpfs", "/tmp/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") != 0) {
    return Fail(failure, "cannot mount", "/dev");
  }
  for (size_t i = 0; i < kDeviceCount; ++i) {
    char path[32] = "/tmp/dev/";
    strcat(path, kDevices[i]);
    // Read-only mounts keep their modes and times; what is written to a device is none of theirs.
    if (!SetAttributes(trees[i], "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID) || !MakePlace(path, false) ||
        !Attach(trees[i], path))
      return Fail(failure, "cannot place the device", kDevices[i]);
  }
  constexpr const char* kLinks[][2] = {{"/proc/self/fd", "/tmp/dev/fd"},
                                       {"/proc/self/fd/0", "/tmp/dev/stdin"},
                                       {"/proc/self/fd/1", "/tmp/dev/stdout"},
                                       {"/proc/self/fd/2", "/tmp/dev/stderr"},
                                       {"pts/ptmx", "/tmp/dev/ptmx"}};
  for (const auto& link : kLinks) {
    if (symlink(link[0], link[1]) != 0) return Fail(failure, "cannot make", link[1]);
  }
  if (mkdir("/tmp/dev/pts", 0755) != 0 || mkdir("/tmp/dev/shm", 01777) != 0 ||
      mount("devpts", "/tmp/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620") != 0 ||
      mount("tmpfs", "/tmp/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) {
    return Fail(failure, "cannot mount below", "/dev");
  }
  return SetAttributes(AT_FDCWD, "/tmp/dev", 0, MOUNT_ATTR_RDONLY) || Fail(failure, "cannot make read-only", "/dev");
}

bool Confinement::EnterRoot(ConfinementFailure* failure) const {
  // Places for rules have been made in what is hidden: read-only from now on.
  for (const Rule& rule : rules_) {
    if (rule.access != v1::ACCESS_HIDDEN || !rule.is_directory || rule.covered) continue;
    if (!SetAttributes(AT_FDCWD, rule.target.c_str(), 0, MOUNT_ATTR_RDONLY)) {
      return Fail(failure, "cannot make read-only", rule.source.c_str());
    }
  }
  if (chdir(kStage) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0) {
    return Fail(failure, "cannot enter the new root");
  }
  if (chdir(working_directory_.c_str()) != 0 && chdir("/") != 0) return Fail(failure, "cannot enter", "/");
  return true;
}

bool Confinement::SetLimits(int image, ConfinementFailure* failure) const {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NPROC, &limit) != 0) return Fail(failure, "cannot read the limit of processes");
  limit.rlim_cur = limit.rlim_max = std::min(limit.rlim_max, processes_);
  if (setrlimit(RLIMIT_NPROC, &limit) != 0) return Fail(failure, "cannot limit the number of processes");
  // Not for guests to trace, or to read the memory of.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (!DropCapabilities()) return Fail(failure, "cannot drop capabilities");
  // Who waits for the sandbox has gone: nobody would end it.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Fail(failure, "cannot give up new privileges");
  if (HasLandlock() && !EnterLandlock(image, failure)) return false;
  const sock_fprog program = {static_cast<unsigned short>(filter_.size()), const_cast<sock_filter*>(filter_.data())};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ||
         Fail(failure, "cannot set the system call filter");
}

// The mounts say what may be written; this, that nothing is written but through them.
bool Confinement::EnterLandlock(int image, ConfinementFailure* failure) const {
  LandlockDomain domain;
  if (!domain.Begin()) return Fail(failure, "cannot make a Landlock domain");
  if (!domain.Allow("/", false)) return Fail(failure, "cannot allow reading below", "/");
  for (const char* const path : {"/proc", "/dev"}) {
    if (!domain.Allow(path, true)) return Fail(failure, "cannot allow writing below", path);
  }
  for (const Rule& rule : rules_) {
    const bool writes = rule.access == v1::ACCESS_READ_WRITE || rule.access == v1::ACCESS_TEMPORARY;
    // A later rule may have hidden it.
    if (writes && !rule.covered && !domain.Allow(rule.source.c_str(), true) && errno != ENOENT && errno != EACCES) {
      return Fail(failure, "cannot allow writing below", rule.source.c_str());
    }
  }
  // It lies on a mount of its own, below nothing.
  if (!domain.AllowProgram(image)) return Fail(failure, "cannot allow the shim's image");
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) domain.AllowDescriptor(fd);
  return domain.Enter() || Fail(failure, "cannot enter the Landlock domain");
}

}  // namespace guise::server
