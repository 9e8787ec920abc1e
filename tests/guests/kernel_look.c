// All that tells of the kernel tells of the same one.
//   KERNEL_RELEASE, KERNEL_VERSION  which (default: whichever uname(2) tells)
#include <linux/openat2.h>
#include <sys/utsname.h>

#include "tests/guests/guest.h"

static const char* Read(int fd) {
  static char text[4][1024];
  static int at;
  char* const to = text[at++ % 4];
  const ssize_t size = read(fd, to, sizeof(text[0]) - 1);
  CHECK(size > 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY && write(fd, "x", 1) == -1 && close(fd) == 0);
  to[size] = 0;
  return to;
}

static int IsLine(const char* text, const char* line) {
  return strncmp(text, line, strlen(line)) == 0 && strcmp(text + strlen(line), "\n") == 0;
}

int main(void) {
  struct utsname name;
  memset(&name, 'x', sizeof(name));
  CHECK(uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0 && strcmp(name.machine, "x86_64") == 0);
  if (getenv("KERNEL_RELEASE") != NULL) CHECK(strcmp(name.release, getenv("KERNEL_RELEASE")) == 0);
  if (getenv("KERNEL_VERSION") != NULL) CHECK(strcmp(name.version, getenv("KERNEL_VERSION")) == 0);
  FAILS(syscall(SYS_uname, (void*)8), EFAULT);

  CHECK(IsLine(Read(open("/proc/sys/kernel/osrelease", O_RDONLY)), name.release));
  CHECK(IsLine(Read(openat(AT_FDCWD, "/proc/sys/kernel/version", O_RDONLY | O_CLOEXEC)), name.version));
  struct open_how how = {.flags = O_RDONLY};
  // As programs do where there is none: root's sandbox has none.
  int opened = (int)syscall(SYS_openat2, AT_FDCWD, "/proc/version", &how, sizeof(how));
  if (opened < 0 && errno == ENOSYS) opened = open("/proc/version", O_RDONLY);
  const char* const version = Read(opened);
  char start[128];
  snprintf(start, sizeof(start), "Linux version %s (", name.release);
  CHECK(strncmp(version, start, strlen(start)) == 0 && strstr(version, name.version) != NULL);

  // However it is written.
  const char* const paths[] = {"/proc//version", "/proc/./version", "/proc/../proc/version",
                               "/proc/sys/kernel/../../version"};
  for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); ++i) {
    CHECK(strncmp(Read(open(paths[i], O_RDONLY)), start, strlen(start)) == 0);
  }
  CHECK(IsLine(Read(open("/proc/sys/./kernel//osrelease", O_RDONLY)), name.release));
  FAILS(open("/proc/version/", O_RDONLY), ENOTDIR);

  // Descriptors are as those of any file: the lowest number, closed at an exec if asked.
  const int low = dup(0);
  close(low);
  const int fd = open("/proc/version", O_RDONLY | O_CLOEXEC);
  CHECK(fd == low && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && lseek(fd, 6, SEEK_SET) == 6);
  char word[7];
  CHECK(read(fd, word, sizeof(word)) == sizeof(word) && memcmp(word, "version", sizeof(word)) == 0);
  CHECK(close(fd) == 0);
  return Pass();
}
