// A thousand libraries, each with a site that is used often, all at the same time.
#include "tests/guests/site_library.h"

enum { kLibraries = 1000, kUses = 6 };

int main(void) {
  static LibrarySite sites[kLibraries];
  const long parent = getppid();
  for (int i = 0; i < kLibraries; ++i) {
    char path[32];
    snprintf(path, sizeof(path), "./site%d.so", i);
    WriteLibrary(path, 1000 + i);
    LoadLibrary(path, &sites[i]);
    CHECK(sites[i]() == parent + 1000 + i);
  }
  for (int use = 0; use < kUses; ++use) {
    for (int i = 0; i < kLibraries; ++i) CHECK(sites[i]() == parent + 1000 + i);
  }
  const pid_t child = fork();
  if (child == 0) {
    const long own_parent = getppid();
    for (int i = 0; i < kLibraries; ++i) CHECK(sites[i]() == own_parent + 1000 + i);
    _exit(5);
  }
  CHECK(ExitOf(child) == 5);
  return Pass();
}
