// Two hundred execs in a row leave one process that is inside, with no descriptor or mapping more than at the start.
#include <dirent.h>

#include "tests/guests/guest.h"

static int Count(void) {
  int fds = 0;
  DIR* directory = opendir("/proc/self/fd");
  CHECK(directory != NULL);
  while (readdir(directory) != NULL) ++fds;
  closedir(directory);
  return fds;
}

int main(int argc, char** argv) {
  CheckInside();
  const int depth = argc == 1 ? 0 : atoi(argv[1]);
  const int fds = argc == 1 ? Count() : atoi(argv[2]);
  CHECK(Count() == fds);
  if (depth == 200) return Pass();
  char next[16];
  char count[16];
  snprintf(next, sizeof(next), "%d", depth + 1);
  snprintf(count, sizeof(count), "%d", fds);
  execl(argv[0], argv[0], next, count, NULL);
  CHECK(0);
}
