// An exec that fails gives Linux's errno, and the program goes on as it was.
#include "tests/guests/guest.h"

extern char** environ;

static void Write(const char* name, const void* text, size_t size, mode_t mode) {
  const int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0700);
  CHECK(fd >= 0 && write(fd, text, size) == (ssize_t)size && fchmod(fd, mode) == 0 && close(fd) == 0);
}

static int Exec(const char* path) {
  char* const arguments[] = {(char*)path, NULL};
  return execve(path, arguments, environ);
}

int main(int argc, char** argv) {
  (void)argc;
  static char name[5000];
  CHECK(mkdir("directory", 0700) == 0 && symlink("loop", "loop") == 0 && symlink("nothing", "dangling") == 0);
  Write("not executable", "#!/bin/true\n", 12, 0600);
  Write("text", "just words\n", 11, 0700);
  Write("empty", "", 0, 0700);
  Write("short elf", "\177ELF\2\1\1", 7, 0700);
  Write("no interpreter", "#!/no such interpreter\n", 23, 0700);
  Write("directory interpreter", "#!/tmp\n", 7, 0700);
  Write("blank interpreter", "#!   \n", 6, 0700);
  FAILS(Exec("/no such program"), ENOENT);
  FAILS(Exec(""), ENOENT);
  FAILS(Exec("dangling"), ENOENT);
  FAILS(Exec("no interpreter"), ENOENT);
  FAILS(Exec("not executable"), EACCES);
  FAILS(Exec("directory"), EACCES);
  FAILS(Exec("/"), EACCES);
  FAILS(Exec("/dev/null"), EACCES);
  FAILS(Exec("directory interpreter"), EACCES);
  FAILS(Exec("text"), ENOEXEC);
  FAILS(Exec("empty"), ENOEXEC);
  FAILS(Exec("short elf"), ENOEXEC);
  FAILS(Exec("blank interpreter"), ENOEXEC);
  FAILS(Exec("text/below"), ENOTDIR);
  FAILS(Exec("directory/../text/"), ENOTDIR);
  FAILS(Exec("loop"), ELOOP);
  memset(name, 'x', sizeof(name) - 1);
  FAILS(Exec(name), ENAMETOOLONG);
  name[256] = '\0';
  FAILS(Exec(name), ENAMETOOLONG);
  // A single string of more than 32 pages, and more strings than the stack's quarter.
  char* huge = malloc(200 << 10);
  memset(huge, 'a', 200 << 10);
  huge[(200 << 10) - 1] = '\0';
  char* const one[] = {argv[0], huge, NULL};
  FAILS(execve(argv[0], one, environ), E2BIG);
  FAILS(execve(argv[0], environ, one), E2BIG);
  huge[100 << 10] = '\0';
  static char* many[201];
  for (int i = 0; i < 200; ++i) many[i] = huge;
  FAILS(execve(argv[0], many, environ), E2BIG);
  CheckInside();
  return Pass();
}
