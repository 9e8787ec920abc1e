// Processes that use root's power over the same directories at once: none is refused, and the modes stay. Natively
// nothing is lent.
#include "tests/guests/guest.h"

enum { kRounds = 150 };

static mode_t ModeOf(const char* path) {
  struct stat status;
  CHECK(lstat(path, &status) == 0);
  return status.st_mode & 07777;
}

static pid_t Start(void (*work)(int), int number) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child != 0) return child;
  for (int i = 0; i < kRounds; ++i) work(number);
  _exit(0);
}

static void LookInto(int number) {
  (void)number;
  struct stat status;
  CHECK(stat("shut/f", &status) == 0);
}
static void List(int number) {
  (void)number;
  const int fd = open("shut", O_RDONLY | O_DIRECTORY);
  CHECK(fd >= 0 && close(fd) == 0);
}
static void MakeAndRemove(int number) {
  char name[64];
  snprintf(name, sizeof(name), "fixed/%d", number);
  CHECK(close(open(name, O_WRONLY | O_CREAT | O_EXCL, 0)) == 0 && unlink(name) == 0);
}

// Beside somebody who changes the directory's mode again and again, who may be too fast for it.
static void TryToMake(int number) {
  char name[64];
  snprintf(name, sizeof(name), "fixed/%d", number);
  const int fd = open(name, O_WRONLY | O_CREAT, 0600);
  CHECK(fd >= 0 ? close(fd) == 0 : errno == EACCES);
}

int main(void) {
  umask(0);
  CHECK(mkdir("shut", 0755) == 0 && mkdir("fixed", 0755) == 0);
  CHECK(close(open("shut/f", O_WRONLY | O_CREAT, 0644)) == 0);
  CHECK(chmod("shut", 0) == 0 && chmod("fixed", 0555) == 0);
  const pid_t children[] = {Start(LookInto, 0),      Start(List, 1),          Start(LookInto, 2),
                            Start(MakeAndRemove, 3), Start(MakeAndRemove, 4), Start(MakeAndRemove, 5)};
  for (int i = 0; i < 6; ++i) CHECK(ExitOf(children[i]) == 0);
  CHECK(ModeOf("shut") == 0 && ModeOf("fixed") == 0555);
  // Modes that somebody gives meanwhile are the only ones that stay.
  const pid_t maker = Start(TryToMake, 6);
  for (int i = 0; i < kRounds; ++i) {
    const mode_t mode = i % 2 == 0 ? 0511 : 0550;
    CHECK(chmod("fixed", mode) == 0);
  }
  CHECK(ExitOf(maker) == 0);
  CHECK(ModeOf("fixed") == 0550 || ModeOf("fixed") == 0511);
  CHECK(mkdir("own", 0600) == 0 && chmod("own/.", 0755) == 0 && ModeOf("own") == 0755);
  CHECK(chmod("own", 0600) == 0 && chmod("own/.", 0700) == 0 && ModeOf("own") == 0700);
  CHECK(chmod("own", 0600) == 0 && chmod("own/../own/.", 0500) == 0 && ModeOf("own") == 0500);
  return Pass();
}
