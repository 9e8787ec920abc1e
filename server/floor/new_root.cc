// A confinement's file system: a new root, with what the policy says of it.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/floor/confinement.h"
#include "server/floor/hidden_objects.h"
#include "server/floor/mounts.h"

namespace guise::server {
namespace {

constexpr char kQueues[] = "/tmp/dev/mqueue";

constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};
constexpr size_t kDeviceCount = sizeof(kDevices) / sizeof(kDevices[0]);

// What programs need to read that speaks of the whole host.
constexpr const char* kReadOnly[] = {"/tmp/proc/sys", "/tmp/proc/pressure", "/tmp/sys"};
// What no program of a sandbox needs of the host and its kernel.
constexpr const char* kQuiet[] = {
    "/tmp/proc/acpi",       "/tmp/proc/asound",        "/tmp/proc/buddyinfo",     "/tmp/proc/bus",
    "/tmp/proc/cmdline",    "/tmp/proc/config.gz",     "/tmp/proc/consoles",      "/tmp/proc/diskstats",
    "/tmp/proc/dma",        "/tmp/proc/driver",        "/tmp/proc/dynamic_debug", "/tmp/proc/fb",
    "/tmp/proc/fs",         "/tmp/proc/interrupts",    "/tmp/proc/iomem",         "/tmp/proc/ioports",
    "/tmp/proc/irq",        "/tmp/proc/kallsyms",      "/tmp/proc/kcore",         "/tmp/proc/key-users",
    "/tmp/proc/keys",       "/tmp/proc/kmsg",          "/tmp/proc/kpagecgroup",   "/tmp/proc/kpagecount",
    "/tmp/proc/kpageflags", "/tmp/proc/latency_stats", "/tmp/proc/locks",         "/tmp/proc/mdstat",
    "/tmp/proc/misc",       "/tmp/proc/modules",       "/tmp/proc/mtrr",          "/tmp/proc/pagetypeinfo",
    "/tmp/proc/partitions", "/tmp/proc/sched_debug",   "/tmp/proc/schedstat",     "/tmp/proc/scsi",
    "/tmp/proc/slabinfo",   "/tmp/proc/softirqs",      "/tmp/proc/swaps",         "/tmp/proc/sysrq-trigger",
    "/tmp/proc/timer_list", "/tmp/proc/tty",           "/tmp/proc/vmallocinfo",   "/tmp/proc/zoneinfo"};

bool CoverIfThere(const char* path, ino_t listed_as, const HiddenObjects& hidden, ConfinementFailure* failure) {
  struct stat status;
  if (stat(path, &status) != 0) return true;
  return hidden.Cover(path, S_ISDIR(status.st_mode), listed_as) || Fail(failure, "cannot hide", path);
}

}  // namespace

bool Confinement::MakeRoot(HiddenObjects& hidden, ConfinementFailure* failure) const {
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
  if (!hidden.Make(kStage)) return Fail(failure, "cannot make a file system in memory");
  constexpr uint64_t kQuiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (!SetAttributes(root, "", AT_EMPTY_PATH | AT_RECURSIVE, kQuiet | MOUNT_ATTR_RDONLY)) {
    return Fail(failure, "cannot make the mounts read-only");
  }
  if (!Attach(root, kStage)) return Fail(failure, "cannot put the new root together", kStage);
  input_.Reopen();
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!PlaceRule(rules_[i], trees[i], hidden, failure)) return false;
  }
  return MakeProc(hidden, failure) && MakeDevices(devices, failure);
}

bool Confinement::PlaceRule(const Rule& rule, int tree, const HiddenObjects& hidden,
                            ConfinementFailure* failure) const {
  if (!MakePlace(rule.target, rule.is_directory)) return Fail(failure, "cannot make a place for", rule.source.c_str());
  for (const std::string& parent : rule.pins) {
    const int same = CloneTree(parent.c_str());
    if (same < 0 || !Attach(same, parent.c_str())) return Fail(failure, "cannot hold in its place", parent.c_str());
  }
  const char* const target = rule.target.c_str();
  constexpr uint64_t kQuiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (tree >= 0) {
    const uint64_t read_only = rule.access == v1::ACCESS_READ_ONLY ? MOUNT_ATTR_RDONLY : 0;
    if (!SetAttributes(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, kQuiet | read_only) || !Attach(tree, target)) {
      return Fail(failure, "cannot mount", rule.source.c_str());
    }
    return true;
  }
  if (rule.absent) {
    return hidden.Cover(target, rule.is_directory, rule.listed_as) || Fail(failure, "cannot hide", rule.source.c_str());
  }
  if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, rule.options.c_str()) != 0) {
    return Fail(failure, "cannot mount an empty directory at", rule.source.c_str());
  }
  return true;
}

bool Confinement::MakeProc(const HiddenObjects& hidden, ConfinementFailure* failure) const {
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
  for (const char* const path : kQuiet) {
    if (!CoverIfThere(path, 0, hidden, failure)) return false;
  }
  for (const Quiet& quiet : quiet_of_sys_) {
    if (!CoverIfThere(quiet.target.c_str(), quiet.listed_as, hidden, failure)) return false;
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
  if (mkdir("/tmp/dev/pts", 0755) != 0 || mkdir("/tmp/dev/shm", 01777) != 0 || mkdir("/tmp/dev/mqueue", 01777) != 0 ||
      mount("devpts", "/tmp/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620") != 0 ||
      mount("tmpfs", "/tmp/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) {
    return Fail(failure, "cannot mount below", "/dev");
  }
  if (mount("mqueue", kQueues, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0 && errno != ENODEV) {
    return Fail(failure, "cannot mount", "/dev/mqueue");
  }
  return SetAttributes(AT_FDCWD, "/tmp/dev", 0, MOUNT_ATTR_RDONLY) || Fail(failure, "cannot make read-only", "/dev");
}

bool Confinement::EnterRoot(ConfinementFailure* failure) const {
  // Places for rules have been made in what is hidden: read-only from now on.
  for (const Rule& rule : rules_) {
    if (rule.access != v1::ACCESS_HIDDEN || rule.absent || rule.covered) continue;
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

}  // namespace guise::server
