// What a guest might leave behind where it may write, or do to a terminal that it shares: prints "NAME" for each that
// it could. Argument: a writable directory.
#include <linux/openat2.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "tests/guests/guest.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static const char* directory;

static const char* Name(const char* name) {
  static char path[4096];
  snprintf(path, sizeof(path), "%s/%s", directory, name);
  return path;
}

// Whether there is a file of that name with one of the bits.
static void Judge(const char* name) {
  struct stat status;
  if (stat(Name(name), &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0) printf("%s\n", name);
}

static int Plain(const char* name) {
  const int fd = open(Name(name), O_RDWR | O_CREAT, 0755);
  CHECK(fd >= 0);
  return fd;
}

int main(int argc, char** argv) {
  CHECK(argc == 2);
  (void)argc;
  directory = argv[1];
  umask(0);
  const mode_t kModes[] = {04755, 02755, 06755};
  for (int i = 0; i < 3; ++i) {
    const mode_t mode = kModes[i];
    Plain("chmod"), syscall(SYS_chmod, Name("chmod"), mode), Judge("chmod");
    syscall(SYS_fchmod, Plain("fchmod"), mode), Judge("fchmod");
    Plain("fchmodat"), syscall(SYS_fchmodat, AT_FDCWD, Name("fchmodat"), mode), Judge("fchmodat");
    Plain("fchmodat2"), syscall(SYS_fchmodat2, AT_FDCWD, Name("fchmodat2"), mode, 0), Judge("fchmodat2");
    unlink(Name("open")), syscall(SYS_open, Name("open"), O_WRONLY | O_CREAT, mode), Judge("open");
    unlink(Name("openat")), syscall(SYS_openat, AT_FDCWD, Name("openat"), O_WRONLY | O_CREAT, mode), Judge("openat");
    unlink(Name("creat")), syscall(SYS_creat, Name("creat"), mode), Judge("creat");
    unlink(Name("mknod")), syscall(SYS_mknod, Name("mknod"), S_IFREG | mode, 0), Judge("mknod");
    unlink(Name("mknodat")), syscall(SYS_mknodat, AT_FDCWD, Name("mknodat"), S_IFREG | mode, 0), Judge("mknodat");
    const struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = mode};
    unlink(Name("openat2")), syscall(SYS_openat2, AT_FDCWD, Name("openat2"), &how, sizeof(how)), Judge("openat2");
    unlink(Name("tmpfile"));
    const long nameless = syscall(SYS_openat, AT_FDCWD, directory, O_WRONLY | O_TMPFILE, mode);
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%ld", nameless);
    linkat(AT_FDCWD, link, AT_FDCWD, Name("tmpfile"), AT_SYMLINK_FOLLOW), Judge("tmpfile");
  }
  int other, terminal;
  CHECK(openpty(&other, &terminal, NULL, NULL, NULL) == 0);
  if (tcflow(terminal, TCOOFF) == 0) printf("off\n");
  CHECK(tcflow(terminal, TCOON) == 0);
  const int kNull = 27;  // N_NULL, which swallows all
  if (ioctl(terminal, TIOCSETD, &kNull) == 0) printf("discipline\n");
  if (ioctl(terminal, TIOCEXCL) == 0) printf("exclusive\n");
  return 0;
}
