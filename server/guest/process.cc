#include "server/guest/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/reactor/pidfd.h"

namespace guise::server {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

std::atomic<uint64_t> g_looks_through_proc = 0;

// ABI: proc(5), fields of /proc/PID/stat counted from the one behind the command's name.
constexpr size_t kState = 0;
constexpr size_t kParent = 1;
constexpr size_t kFlags = 6;
constexpr size_t kStartTime = 19;
constexpr uint64_t kKernelThread = 0x00200000;  // PF_KTHREAD of include/linux/sched.h

template <typename Number>
bool ParseNumber(std::string_view word, Number& number) {
  const std::from_chars_result result = std::from_chars(word.data(), word.data() + word.size(), number);
  return result.ec == std::errc() && result.ptr == word.data() + word.size();
}

Uses HasOpen(pid_t pid, dev_t device, ino_t inode) {
  const std::string path = absl::StrCat("/proc/", pid, "/fd");
  const std::unique_ptr<DIR, int (*)(DIR*)> fds(opendir(path.c_str()), closedir);
  if (fds == nullptr) return Uses::kUnknown;
  while (const dirent* entry = readdir(fds.get())) {
    struct stat status = {};
    if (fstatat(dirfd(fds.get()), entry->d_name, &status, 0) != 0) continue;
    if (status.st_dev == device && status.st_ino == inode) return Uses::kYes;
  }
  return Uses::kNo;
}

Uses HasMapped(pid_t pid, dev_t device, ino_t inode) {
  const std::string path = absl::StrCat("/proc/", pid, "/maps");
  const std::unique_ptr<FILE, int (*)(FILE*)> maps(fopen(path.c_str(), "re"), fclose);
  if (maps == nullptr) return Uses::kUnknown;
  char line[4096 + 128];
  bool any = false;
  while (fgets(line, sizeof(line), maps.get()) != nullptr) {
    any = true;
    unsigned major_number = 0;
    unsigned minor_number = 0;
    unsigned long found = 0;
    // ABI: proc(5): address permissions offset device inode path.
    if (sscanf(line, "%*s %*s %*s %x:%x %lu", &major_number, &minor_number, &found) != 3) continue;
    if (found == inode && makedev(major_number, minor_number) == device) return Uses::kYes;
  }
  // No line at all: it is ending, or its maps are not for us.
  return any ? Uses::kNo : Uses::kUnknown;
}

// ABI: proc_pid_status(5): "NSpid:", the pid in the reader's namespace, then in each below; 0: in none.
pid_t NamedInNamespace(std::string_view status) {
  const size_t at = status.find("\nNSpid:");
  if (at == std::string_view::npos) return 0;
  std::string_view line = status.substr(at + 1);
  line = line.substr(0, line.find('\n'));
  const size_t first = line.find('\t');
  const size_t last = line.rfind('\t');
  pid_t named = 0;
  if (first == last || last == std::string_view::npos) return 0;
  return ParseNumber(line.substr(last + 1), named) ? named : 0;
}

}  // namespace

std::optional<ProcessStatus> ParseProcessStatus(std::string_view stat, int64_t ticks_per_second) {
  // The name is the process's own choice and may hold spaces and brackets: the last bracket ends it.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || ticks_per_second <= 0) return std::nullopt;
  std::string_view rest = stat.substr(name_end + 1);
  ProcessStatus status;
  uint64_t ticks = 0;
  uint64_t flags = 0;
  for (size_t field = 0; field <= kStartTime; ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
    rest.remove_prefix(word.size());
    if (word.empty()) return std::nullopt;
    if (field == kState) status.state = word[0];
    if (field == kParent && !ParseNumber(word, status.parent)) return std::nullopt;
    if (field == kFlags && !ParseNumber(word, flags)) return std::nullopt;
    if (field == kStartTime && !ParseNumber(word, ticks)) return std::nullopt;
  }
  status.is_kernels = (flags & kKernelThread) != 0;
  status.started_at = ticks * (kSecond / static_cast<uint64_t>(ticks_per_second));
  return status;
}

std::optional<ProcessStatus> ReadProcessStatus(pid_t pid) {
  const std::string path = absl::StrCat("/proc/", pid, "/stat");
  const OwnedFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  char text[1024];
  const ssize_t size = read(file.get(), text, sizeof(text));
  if (size <= 0) return std::nullopt;
  return ParseProcessStatus({text, static_cast<size_t>(size)}, sysconf(_SC_CLK_TCK));
}

bool WasThere(const ProcessStatus& status, uint64_t was_there_at) { return status.started_at <= was_there_at; }

Presence OpenGuest(pid_t pid, uint64_t was_there_at, OwnedFd* pidfd) {
  if (pid <= 0) return Presence::kNone;
  OwnedFd opened = OpenPidfd(pid);
  // EINVAL: the id of a thread. Other errors (EMFILE) say nothing of the process.
  if (!opened) return errno == ESRCH || errno == EINVAL ? Presence::kNone : Presence::kYounger;
  // In this order: while it has not ended, the pid is the one's whose status is read now.
  const std::optional<ProcessStatus> status = ReadProcessStatus(pid);
  if (HasEnded(opened) || !status.has_value() || status->is_kernels) return Presence::kNone;
  if (!WasThere(*status, was_there_at)) return Presence::kYounger;
  *pidfd = std::move(opened);
  return Presence::kThere;
}

bool IsInNamespaceBelow(pid_t pid) {
  char text[4096];
  const OwnedFd file(open(absl::StrCat("/proc/", pid, "/status").c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t size = file ? read(file.get(), text, sizeof(text)) : -1;
  return size <= 0 || NamedInNamespace({text, static_cast<size_t>(size)}) != 0;
}

std::multimap<pid_t, pid_t> PidsInNamespaces() {
  g_looks_through_proc.fetch_add(1, std::memory_order_relaxed);
  std::multimap<pid_t, pid_t> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc"), &closedir);
  if (directory == nullptr) return found;
  while (const dirent* const entry = readdir(directory.get())) {
    pid_t pid = 0;
    if (!ParseNumber(std::string_view(entry->d_name), pid)) continue;
    const OwnedFd file(open(absl::StrCat("/proc/", pid, "/status").c_str(), O_RDONLY | O_CLOEXEC));
    char text[4096];
    const ssize_t size = file ? read(file.get(), text, sizeof(text)) : -1;
    const pid_t named = size > 0 ? NamedInNamespace({text, static_cast<size_t>(size)}) : 0;
    if (named > 0) found.emplace(named, pid);
  }
  return found;
}

uint64_t LooksThroughProc() { return g_looks_through_proc.load(std::memory_order_relaxed); }

Uses UsesFile(pid_t pid, dev_t device, ino_t inode) {
  const Uses open = HasOpen(pid, device, inode);
  if (open == Uses::kYes) return open;
  const Uses mapped = HasMapped(pid, device, inode);
  return open == mapped ? open : mapped == Uses::kYes ? Uses::kYes : Uses::kUnknown;
}

bool HasThread(pid_t pid, pid_t tid) {
  const std::string path = absl::StrCat("/proc/", pid, "/task/", tid);
  return access(path.c_str(), F_OK) == 0;
}

}  // namespace guise::server
