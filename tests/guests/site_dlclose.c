// A library whose site was used often is unloaded, and another is loaded into its place: the code that lies there is
// the code that runs. The same with six gigabytes of reserved addresses between them and the program.
#include <sys/mman.h>

#include "tests/guests/site_library.h"

enum { kRounds = 20, kUses = 100 };

int main(void) {
  const long parent = getppid();
  uintptr_t before = 0;
  int same_place = 0;
  WriteLibrary("./first.so", 1000);
  WriteLibrary("./second.so", 2000);
  for (int round = 0; round < 2 * kRounds; ++round) {
    if (round == kRounds) {
      const size_t size = (size_t)6 << 30;
      CHECK(mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED);
    }
    for (int which = 1; which <= 2; ++which) {
      LibrarySite site;
      void* const library = LoadLibrary(which == 1 ? "./first.so" : "./second.so", &site);
      same_place += (uintptr_t)site == before;
      before = (uintptr_t)site;
      for (int i = 0; i < kUses; ++i) CHECK(site() == parent + which * 1000);
      CHECK(dlclose(library) == 0);
    }
  }
  CHECK(same_place > 0);
  return Pass();
}
