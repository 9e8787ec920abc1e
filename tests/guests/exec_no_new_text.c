// Programs whose memory cannot become executable, which execs pass on: they run, however often they have run before,
// and it stays so.
#include <sys/mman.h>
#include <sys/prctl.h>

#include "tests/guests/guest.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

enum { kRefuseExecGain = 1, kExecs = 30, kPage = 4096 };

int main(int argc, char** argv) {
  CheckInside();
  const int depth = argc == 1 ? 0 : atoi(argv[1]);
  if (depth == 0 && prctl(PR_SET_MDWE, kRefuseExecGain, 0, 0, 0) != 0) return Unsupported("no PR_SET_MDWE");
  void* const memory = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  FAILS(mprotect(memory, kPage, PROT_READ | PROT_EXEC), EACCES);
  for (int i = 0; i < 4; ++i) {
    struct stat status;
    CHECK(stat("/", &status) == 0 && getppid() > 0);
  }
  if (depth == kExecs) return Pass();
  char next[16];
  snprintf(next, sizeof(next), "%d", depth + 1);
  execl(argv[0], argv[0], next, NULL);
  CHECK(0);
}
