// Prints what statx(2) says that it has told, by what it was asked for.
#include <linux/stat.h>

#include "tests/guests/guest.h"

int main(void) {
  static const unsigned kAsked[] = {0,           STATX_TYPE,        STATX_UID,
                                    STATX_SIZE,  STATX_MTIME,       STATX_CTIME,
                                    STATX_BTIME, STATX_BASIC_STATS, STATX_BASIC_STATS | STATX_BTIME};
  for (size_t i = 0; i < sizeof(kAsked) / sizeof(kAsked[0]); ++i) {
    struct statx status;
    CHECK(syscall(SYS_statx, AT_FDCWD, ".", 0, kAsked[i], &status) == 0);
    printf("%x: %x, %d %d\n", kAsked[i], status.stx_mask, status.stx_ctime.tv_sec != 0, status.stx_btime.tv_sec != 0);
  }
  return Pass();
}
