#include "server/launch/ancestry.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

// A chain longer than this is no chain: ids were reused while it was read.
constexpr int kMostGenerations = 4096;

}  // namespace

pid_t ParentOf(pid_t pid) {
  char text[512];
  snprintf(text, sizeof(text), "/proc/%d/stat", pid);
  const OwnedFd file(open(text, O_RDONLY | O_CLOEXEC));
  if (!file) return 0;
  const ssize_t length = read(file.get(), text, sizeof(text) - 1);
  if (length <= 0) return 0;
  text[length] = '\0';
  const char* after_name = strrchr(text, ')');
  char state;
  int parent = 0;
  if (after_name == nullptr || sscanf(after_name + 1, " %c %d", &state, &parent) != 2) return 0;
  return parent;
}

bool DescendsFrom(pid_t pid, pid_t ancestor) {
  for (int i = 0; i < kMostGenerations && pid > 0; ++i) {
    if (pid == ancestor) return true;
    pid = ParentOf(pid);
  }
  return false;
}

}  // namespace guise::server
