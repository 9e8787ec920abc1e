// What inode overlays need of file systems.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "server/cli/doctor/probe.h"
#include "server/cli/doctor/probes.h"
#include "server/launch/runtime_directory.h"

namespace guise::server {
namespace {

Finding BirthTimeOf(const std::string& what, const std::string& path) {
  const std::string name = absl::StrCat("birth times, ", what);
  constexpr char kHint[] =
      "owners and modes that fakeroot keeps are told apart by inode number alone there, so a reused number may show a "
      "removed file's";
  struct statx st = {};
  if (statx(AT_FDCWD, path.c_str(), 0, STATX_BTIME, &st) != 0) {
    return FindingOf(name, errno, "", Severity::kDegraded, kHint);
  }
  if ((st.stx_mask & STATX_BTIME) != 0) return {name, true, "told", Severity::kDegraded, ""};
  return {name, false, absl::StrCat("not told by the file system of ", path), Severity::kDegraded, kHint};
}

}  // namespace

std::vector<Finding> ProbeFiles() {
  std::vector<Finding> findings;
  findings.push_back(BirthTimeOf("working directory", "."));
  const std::string runtime = RuntimeDirectory::DefaultPath();
  struct stat st;
  if (stat(runtime.c_str(), &st) == 0) findings.push_back(BirthTimeOf("runtime directory", runtime));
  return findings;
}

}  // namespace guise::server
