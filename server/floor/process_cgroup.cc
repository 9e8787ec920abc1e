#include "server/floor/process_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "server/launch/errno_status.h"

namespace guise::server {
namespace {

constexpr absl::string_view kPrefix = "guise-";  // then the launcher's pid, and perhaps a dash and a number
constexpr int kMostNames = 8;

// A hierarchy that the pids controller may be on.
struct Hierarchy {
  std::string root;   // of the mount, within the hierarchy
  std::string mount;  // where
  bool is_v2;

  // Where a process with one thread moves itself to a cgroup. ABI: cgroup_procs_write_start() of
  // kernel/cgroup/cgroup.c: by its thread's file it waits for nobody, by its process's for a grace period of RCU, which
  // takes 10 ms and more. Threads of cgroup v2 cannot leave their process's domain.
  OwnedFd OpenEntry(const std::string& path) const {
    return OwnedFd(open(absl::StrCat(path, is_v2 ? "/cgroup.procs" : "/tasks").c_str(), O_WRONLY | O_CLOEXEC));
  }
  OwnedFd OpenBirthplace(const std::string& path) const {
    return is_v2 ? OwnedFd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) : OwnedFd();
  }
};

std::vector<Hierarchy> Hierarchies() {
  std::vector<Hierarchy> found;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    // ABI: proc_pid_mountinfo(5): id, parent, device, root, mount point, options, fields, "-", type, source, options.
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 5 || fields.end() - dash < 4) continue;
    const bool is_v2 = dash[1] == "cgroup2";
    const std::vector<std::string> options = absl::StrSplit(dash[3], ',');
    const bool has_pids = std::find(options.begin(), options.end(), "pids") != options.end();
    if (is_v2 || (dash[1] == "cgroup" && has_pids)) found.push_back({fields[3], fields[4], is_v2});
  }
  return found;
}

// Where the process's cgroup of the hierarchy is seen; empty: nowhere.
std::string PathOf(const Hierarchy& hierarchy, const std::string& process) {
  std::ifstream lines(absl::StrCat("/proc/", process, "/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    // ABI: cgroups(7): hierarchy:controllers:path; v2 is 0 without controllers.
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(fields[1], ',');
    const bool is_it = hierarchy.is_v2 ? fields[0] == "0"
                                       : std::find(controllers.begin(), controllers.end(), "pids") != controllers.end();
    if (!is_it) continue;
    absl::string_view path = fields[2];
    if (hierarchy.root != "/") {
      if (!absl::StartsWith(path, hierarchy.root)) return "";
      path.remove_prefix(hierarchy.root.size());
    }
    return absl::StrCat(hierarchy.mount, path == "/" ? "" : path);
  }
  return "";
}

bool WriteTo(const std::string& path, const std::string& text) {
  const OwnedFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

void RemoveStale(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), &closedir);
  if (entries == nullptr) return;
  while (const dirent* const entry = readdir(entries.get())) {
    absl::string_view name = entry->d_name;
    pid_t launcher = 0;
    if (!absl::StartsWith(name, kPrefix)) continue;
    name.remove_prefix(kPrefix.size());
    if (!absl::SimpleAtoi(name.substr(0, name.find('-')), &launcher)) continue;
    if (kill(launcher, 0) != 0 && errno == ESRCH) rmdir(absl::StrCat(directory, "/", entry->d_name).c_str());
  }
}

}  // namespace

ProcessCgroup::~ProcessCgroup() {
  if (!path_.empty()) rmdir(path_.c_str());
}

absl::StatusOr<ProcessCgroup> ProcessCgroup::Make(uint32_t most) {
  std::string why = "no cgroup file system with the pids controller is mounted";
  for (const Hierarchy& hierarchy : Hierarchies()) {
    const std::string own = PathOf(hierarchy, "self");
    if (own.empty()) continue;
    // ABI: cgroup v2: one that has processes gives no controllers to those below it, unless it is the root.
    std::vector<std::string> places = {own};
    if (hierarchy.is_v2 && own != hierarchy.mount) places.insert(places.begin(), own.substr(0, own.rfind('/')));
    for (const std::string& place : places) {
      RemoveStale(place);
      ProcessCgroup cgroup;
      // Of a launcher that had our pid, in another namespace perhaps, one may be left.
      std::string path = absl::StrCat(place, "/", kPrefix, getpid());
      bool made = mkdir(path.c_str(), 0755) == 0;
      for (int again = 1; !made && errno == EEXIST && again < kMostNames; ++again) {
        path = absl::StrCat(place, "/", kPrefix, getpid(), "-", again);
        made = mkdir(path.c_str(), 0755) == 0;
      }
      if (!made) {
        why = absl::StrCat("cannot make ", path, ": ", strerror(errno));
        continue;
      }
      cgroup.path_ = path;
      cgroup.birthplace_ = hierarchy.OpenBirthplace(path);
      cgroup.entry_ = hierarchy.OpenEntry(path);
      if (cgroup.entry_ && WriteTo(absl::StrCat(path, "/pids.max"), absl::StrCat(most, "\n"))) return cgroup;
      why = absl::StrCat("cannot limit ", path, ": ", strerror(errno));
    }
  }
  return absl::FailedPreconditionError(why);
}

absl::StatusOr<ProcessCgroup> ProcessCgroup::Of(pid_t pid) {
  ProcessCgroup cgroup;
  for (const Hierarchy& hierarchy : Hierarchies()) {
    const std::string path = PathOf(hierarchy, absl::StrCat(pid));
    const size_t name = path.rfind('/') + 1;
    if (!absl::StartsWith(absl::string_view(path).substr(name), kPrefix)) continue;
    cgroup.birthplace_ = hierarchy.OpenBirthplace(path);
    cgroup.entry_ = hierarchy.OpenEntry(path);
    if (!cgroup.entry_) return ErrnoStatus(errno, absl::StrCat("cannot join the cgroup ", path));
    break;
  }
  return cgroup;
}

bool ProcessCgroup::Enter() const { return !entry_ || write(entry_.get(), "0", 1) == 1; }

}  // namespace guise::server
