// Exec with an empty environment, with none at all, and without arguments.
#include "tests/guests/guest.h"

extern char** environ;
static char* const kNothing[] = {NULL};

int main(int argc, char** argv) {
  // A copy under a name that says what comes: without arguments there is nothing else to tell it by.
  char self[64] = "";
  CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0 || errno != 0);
  if (environ[0] != NULL && argc == 1) {
    char command[8192];
    snprintf(command, sizeof(command), "cp '%s' program", argv[0]);
    CHECK(system(command) == 0);
    char uid[16];
    snprintf(uid, sizeof(uid), "%u", ExpectedUid());
    char* const arguments[] = {"empty environment", uid, NULL};
    execve("program", arguments, kNothing);
    CHECK(0);
  }
  CHECK(environ[0] == NULL);
  if (argc == 2) {
    CHECK(RawUid() == (uid_t)atoi(argv[1]));
    char* const arguments[] = {"no environment", argv[1], "2", NULL};
    syscall(SYS_execve, "program", arguments, NULL);
    CHECK(0);
  }
  if (argc == 3) {
    CHECK(RawUid() == (uid_t)atoi(argv[1]));
    // Who it is, it can tell its successor only by a file.
    const int fd = open("uid", O_CREAT | O_WRONLY, 0600);
    CHECK(write(fd, argv[1], strlen(argv[1])) > 0);
    syscall(SYS_execve, "program", kNothing, kNothing);
    CHECK(0);
  }
  // Linux gives a program without arguments one empty argument (since 5.18).
  CHECK(argc == 1 && argv[0][0] == '\0' && argv[1] == NULL);
  char uid[16] = "";
  const int fd = open("uid", O_RDONLY);
  CHECK(read(fd, uid, sizeof(uid) - 1) > 0 && RawUid() == (uid_t)atoi(uid));
  if (access("twice", F_OK) == 0) return Pass();
  CHECK(creat("twice", 0600) >= 0);
  syscall(SYS_execve, "program", NULL, NULL);
  CHECK(0);
}
