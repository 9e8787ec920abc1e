// posix_spawn's children are inside: with file actions, attributes, by PATH, and one that fails.
#include <spawn.h>

#include "tests/guests/guest.h"

extern char** environ;

int main(int argc, char** argv) {
  if (argc > 1) {
    CheckInside();
    struct stat status;
    CHECK(fstat(7, &status) == 0 && S_ISREG(status.st_mode));
    sigset_t mask;
    CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR2) && !sigismember(&mask, SIGUSR1));
    return 13;
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t mask;
  sigset_t defaults;
  CHECK(posix_spawn_file_actions_init(&actions) == 0 && posix_spawnattr_init(&attributes) == 0);
  CHECK(posix_spawn_file_actions_addopen(&actions, 7, "file", O_CREAT | O_RDWR, 0644) == 0);
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  sigfillset(&defaults);
  CHECK(posix_spawnattr_setsigmask(&attributes, &mask) == 0 &&
        posix_spawnattr_setsigdefault(&attributes, &defaults) == 0);
  CHECK(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) == 0);
  for (int i = 0; i < 10; ++i) {
    char* const child_argv[] = {argv[0], "child", NULL};
    pid_t child = -1;
    CHECK(posix_spawn(&child, argv[0], &actions, &attributes, child_argv, environ) == 0);
    CHECK(ExitOf(child) == 13);
    CHECK(posix_spawn(&child, "/no such program", NULL, NULL, child_argv, environ) == ENOENT);
    char* const true_argv[] = {"true", NULL};
    CHECK(posix_spawnp(&child, "true", NULL, NULL, true_argv, environ) == 0);
    CHECK(ExitOf(child) == 0);
  }
  return Pass();
}
