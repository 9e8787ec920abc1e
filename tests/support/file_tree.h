// What lies below a directory, for comparing what programs left behind.
#ifndef GUISE_TESTS_SUPPORT_FILE_TREE_H_
#define GUISE_TESTS_SUPPORT_FILE_TREE_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace guise::tests {

struct FileEntry {
  mode_t mode = 0;    // type and permissions
  uint64_t size = 0;  // regular files and links
  dev_t device = 0;   // device files
  uid_t uid = 0;
  gid_t gid = 0;
  std::string contents;  // of a regular file, or the target of a link
};

// By path below the root; the root itself is "".
using FileTree = std::map<std::string, FileEntry>;

// REQUIRES: nothing writes below `root` meanwhile.
FileTree Snapshot(const std::string& root);

struct TreeComparison {
  bool ids = false;  // compare owners too
};

// What differs, one line each; empty: the same names, types, modes, sizes and contents.
std::vector<std::string> Differences(const FileTree& expected, const FileTree& actual, TreeComparison what = {});

// Like Differences(first, actual), leaving out what already differs between `first` and `second`, two runs of the same:
// names that only one has, and the size and contents of those that vary.
std::vector<std::string> DifferencesBeyond(const FileTree& first, const FileTree& second, const FileTree& actual,
                                           TreeComparison what = {});

}  // namespace guise::tests

#endif  // GUISE_TESTS_SUPPORT_FILE_TREE_H_
