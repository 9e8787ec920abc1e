// Without libc: prints the uid, makes `f`, gives it to 1:2 and prints whose it then is.
#include <asm/stat.h>

#include "tests/guests/raw.h"

void Start(long* stack) {
  struct stat status;
  (void)stack;
  PrintNumber((unsigned long)Call(__NR_getuid, 0, 0, 0, 0), "\n");
  const long fd = Call(__NR_open, (long)"f", 0101 /* O_CREAT | O_WRONLY */, 0644, 0);
  if (fd < 0) Exit(1);
  Call(__NR_close, fd, 0, 0, 0);
  if (Call(__NR_chown, (long)"f", 1, 2, 0) != 0) Exit(2);
  if (Call(__NR_stat, (long)"f", (long)&status, 0, 0) != 0) Exit(3);
  PrintNumber(status.st_uid, ":");
  PrintNumber(status.st_gid, "\n");
  Exit(0);
}
