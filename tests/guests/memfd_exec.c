// A program in a memfd runs, inside; by execveat and by /proc/self/fd. Its name as a task is the file's since
// Linux 6.14, which also tells what may be run, and before that the number.
#include <sys/mman.h>
#include <sys/prctl.h>

#include "tests/guests/guest.h"

extern char** environ;

static void CheckComm(const char* expected) {
  char comm[17] = "";
  CHECK(prctl(PR_GET_NAME, comm) == 0);
  if (strcmp(comm, expected) != 0) fprintf(stderr, "%s for %s\n", comm, expected);
  CHECK(strcmp(comm, expected) == 0);
}

static int NamesFiles(void) {
  enum { kCheck = 0x10000 };
  const int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
  char* const words[] = {"", NULL};
  const int knows = fd >= 0 && syscall(SYS_execveat, fd, "", words, words + 1, AT_EMPTY_PATH | kCheck) == 0;
  close(fd);
  return knows;
}

int main(int argc, char** argv) {
  if (argc == 4) {
    CheckInside();
    CheckComm(argv[3]);
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
    char number[16];
    snprintf(number, sizeof(number), "%d", fd);
    char* const arguments[] = {"in a memfd", argv[0], number, NULL};
    syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH);
  } else {
    CheckInside();
    CheckComm(NamesFiles() ? "memfd:a program" : argv[2]);
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    char* const arguments[] = {"by proc", argv[1], "three", strrchr(path, '/') + 1, NULL};
    execve(path, arguments, environ);
  }
  CHECK(0);
}
