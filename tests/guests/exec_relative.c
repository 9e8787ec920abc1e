// Exec by a path relative to the working directory, by execveat's directory, through links.
#include "tests/guests/guest.h"

static const char* const kWays[] = {"./program", "program", "sub/../program", "link", "at directory", "at empty path"};

int main(int argc, char** argv) {
  const int way = argc == 1 ? 0 : atoi(argv[1]);
  if (argc > 1) CheckInside();
  if (way == (int)(sizeof(kWays) / sizeof(kWays[0]))) return Pass();
  if (argc == 1) {
    char command[8192];
    snprintf(command, sizeof(command), "cp '%s' program && mkdir sub && ln -s sub/../program link", argv[0]);
    CHECK(system(command) == 0);
  }
  char next[16];
  snprintf(next, sizeof(next), "%d", way + 1);
  extern char** environ;
  char* const arguments[] = {(char*)kWays[way], next, NULL};
  if (way < 4) {
    execve(kWays[way], arguments, environ);
  } else if (way == 4) {
    const int directory = open("sub", O_PATH | O_DIRECTORY | O_CLOEXEC);
    CHECK(directory >= 0);
    syscall(SYS_execveat, directory, "../link", arguments, environ, 0);
  } else {
    const int program = open("program", O_PATH | O_CLOEXEC);
    CHECK(program >= 0);
    syscall(SYS_execveat, program, "", arguments, environ, AT_EMPTY_PATH);
  }
  CHECK(0);
}
