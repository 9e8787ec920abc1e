// A program gets the descriptor numbers it wants, 224 to 226, 255 and the rest, keeps them over fork and exec, and what
// was there before never shows.
#include "tests/guests/guest.h"

static void CheckFile(int fd, ino_t inode) {
  struct stat status;
  CHECK(fstat(fd, &status) == 0 && status.st_ino == inode);
}

int main(int argc, char** argv) {
  struct stat status;
  if (argc > 1) {
    CheckInside();
    const ino_t inode = (ino_t)atoll(argv[1]);
    for (int fd = 200; fd < 260; ++fd) CheckFile(fd, inode);
    CHECK(syscall(SYS_close_range, 3, ~0u, 0) == 0);
    CheckInside();
    return Pass();
  }
  const int file = open("file", O_CREAT | O_RDWR, 0600);
  CHECK(file == 3 && fstat(file, &status) == 0);
  for (int fd = 200; fd < 260; ++fd) {
    CHECK((fd % 3 == 0 ? dup2(file, fd) : fd % 3 == 1 ? dup3(file, fd, 0) : fcntl(file, F_DUPFD, fd)) == fd);
    CheckInside();
  }
  for (int fd = 200; fd < 260; ++fd) CheckFile(fd, status.st_ino);
  const pid_t child = fork();
  if (child == 0) {
    CheckInside();
    for (int fd = 200; fd < 260; ++fd) CheckFile(fd, status.st_ino);
    _exit(6);
  }
  CHECK(ExitOf(child) == 6);
  // All numbers up to the limit, lowest first, as the kernel gives them.
  for (int fd = 4; fd < 200; ++fd) CHECK(dup(file) == fd);
  CHECK(dup(file) == 260);
  for (int fd = 200; fd < 261; ++fd) CHECK(fd >= 260 ? close(fd) == 0 : 1);
  for (int fd = 4; fd < 200; ++fd) CHECK(close(fd) == 0);
  char inode[32];
  snprintf(inode, sizeof(inode), "%llu", (unsigned long long)status.st_ino);
  execl(argv[0], argv[0], inode, NULL);
  CHECK(0);
}
