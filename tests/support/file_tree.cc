#include "tests/support/file_tree.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "tests/support/process.h"

namespace guise::tests {
namespace {

namespace fs = std::filesystem;

FileEntry Look(const std::string& path) {
  FileEntry entry;
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return entry;
  entry.mode = status.st_mode;
  entry.uid = status.st_uid;
  entry.gid = status.st_gid;
  if (S_ISREG(status.st_mode)) {
    entry.contents = ReadFile(path);
    entry.size = static_cast<uint64_t>(status.st_size);
  } else if (S_ISLNK(status.st_mode)) {
    entry.contents = fs::read_symlink(path).string();
    entry.size = entry.contents.size();
  } else if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
    entry.device = status.st_rdev;
  }
  return entry;
}

std::string Text(const FileEntry& entry) {
  char text[160];
  snprintf(text, sizeof(text), "mode %06o, %lu bytes, device %lx, owner %u:%u", entry.mode,
           static_cast<unsigned long>(entry.size), static_cast<unsigned long>(entry.device), entry.uid, entry.gid);
  return text;
}

bool SameData(const FileEntry& a, const FileEntry& b) { return a.size == b.size && a.contents == b.contents; }
bool SameHead(const FileEntry& a, const FileEntry& b) { return a.mode == b.mode && a.device == b.device; }
bool SameIds(const FileEntry& a, const FileEntry& b) { return a.uid == b.uid && a.gid == b.gid; }

}  // namespace

FileTree Snapshot(const std::string& root) {
  FileTree tree;
  tree[""] = Look(root);
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(root, error); it != fs::recursive_directory_iterator();
       it.increment(error)) {
    const std::string path = it->path().string();
    tree[path.substr(root.size() + 1)] = Look(path);
  }
  return tree;
}

std::vector<std::string> Differences(const FileTree& expected, const FileTree& actual, TreeComparison what) {
  return DifferencesBeyond(expected, expected, actual, what);
}

std::vector<std::string> DifferencesBeyond(const FileTree& first, const FileTree& second, const FileTree& actual,
                                           TreeComparison what) {
  std::vector<std::string> found;
  for (const auto& [name, entry] : first) {
    const auto again = second.find(name);
    if (again == second.end()) continue;
    const auto it = actual.find(name);
    if (it == actual.end()) {
      found.push_back("missing: " + name);
      continue;
    }
    const bool steady = SameData(entry, again->second);
    const bool same = SameHead(entry, it->second) && (!steady || SameData(entry, it->second)) &&
                      (!what.ids || SameIds(entry, it->second));
    if (!same) found.push_back("differs: " + name + ": " + Text(entry) + "; here: " + Text(it->second));
  }
  // A name of `actual` alone is a difference unless names vary anyway: then as many as in one of the two runs may be
  // new.
  std::size_t varying = 0;
  for (const auto& [name, entry] : first) varying += second.count(name) == 0 ? 1 : 0;
  std::vector<std::string> extra;
  for (const auto& [name, entry] : actual) {
    if (first.count(name) == 0 && second.count(name) == 0) extra.push_back("extra: " + name + ": " + Text(entry));
  }
  if (extra.size() > varying) found.insert(found.end(), extra.begin(), extra.end());
  return found;
}

}  // namespace guise::tests
