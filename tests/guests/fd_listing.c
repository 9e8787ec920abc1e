// Nobody who lists descriptors finds any but the program's own: /proc/self/fd, /dev/fd, fdinfo, fcntl, fstat, by
// number.
#include <dirent.h>

#include "tests/guests/guest.h"

// Bit i: descriptor i is there. The directory's own is left out.
static uint64_t List(const char* path, uint64_t* beyond) {
  uint64_t seen = 0;
  DIR* directory = opendir(path);
  CHECK(directory != NULL);
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    const int fd = atoi(entry->d_name);
    if (fd == dirfd(directory)) continue;
    if (fd < 64) seen |= 1ull << fd;
    if (fd >= 64) ++*beyond;
  }
  closedir(directory);
  return seen;
}

int main(int argc, char** argv) {
  uint64_t beyond = 0;
  CHECK(open("/", O_RDONLY) == 3 && open("/dev/null", O_RDWR) == 4);
  CHECK(dup2(4, 20) == 20);
  const uint64_t expected = 7 | 1 << 3 | 1 << 4 | 1 << 20;
  char by_pid[64];
  snprintf(by_pid, sizeof(by_pid), "/proc/%d/fd", getpid());
  CHECK(List("/proc/self/fd", &beyond) == expected);
  CHECK(List("/dev/fd", &beyond) == expected);
  CHECK(List("/proc/self/fdinfo", &beyond) == expected);
  CHECK(List("/proc/thread-self/fd", &beyond) == expected);
  CHECK(List(by_pid, &beyond) == expected);
  CHECK(beyond == 0);
  for (int fd = 21; fd < 1024; ++fd) {
    struct stat status;
    char path[64];
    char target[64];
    FAILS(fcntl(fd, F_GETFD), EBADF);
    FAILS(fcntl(fd, F_GETFL), EBADF);
    FAILS(fstat(fd, &status), EBADF);
    FAILS(dup(fd), EBADF);
    FAILS(read(fd, target, 0), EBADF);
    FAILS(lseek(fd, 0, SEEK_CUR), EBADF);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    FAILS(readlink(path, target, sizeof(target)), ENOENT);
    FAILS(open(path, O_RDONLY), ENOENT);
  }
  if (argc > 1) return Pass();
  close(3), close(4), close(20);
  execl(argv[0], argv[0], "again", NULL);
  CHECK(0);
}
