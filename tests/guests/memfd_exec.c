// A program in a memfd runs, inside; by execveat and by /proc/self/fd.
#include <sys/mman.h>

#include "tests/guests/guest.h"

extern char** environ;

int main(int argc, char** argv) {
  if (argc == 4) {
    CheckInside();
    return Pass();
  }
  const char* original = argc == 1 ? argv[0] : argv[1];
  const int from = open(original, O_RDONLY);
  const int fd = (int)syscall(SYS_memfd_create, "a program", argc == 1 ? MFD_CLOEXEC : 0);
  CHECK(from >= 0 && fd >= 0);
  char buffer[65536];
  for (ssize_t n; (n = read(from, buffer, sizeof(buffer))) > 0;) CHECK(write(fd, buffer, (size_t)n) == n);
  close(from);
  if (argc == 1) {
    char* const arguments[] = {"in a memfd", argv[0], NULL};
    syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH);
  } else {
    CheckInside();
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    char* const arguments[] = {"by proc", argv[1], "three", "four", NULL};
    execve(path, arguments, environ);
  }
  CHECK(0);
}
