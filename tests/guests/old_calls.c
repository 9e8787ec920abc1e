// Calls that newer architectures do not have, by their numbers: what they do, and what they refuse.
#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <time.h>
#include <utime.h>

#include "tests/guests/guest.h"

#define BAD ((void*)8)

static struct stat About(const char* path) {
  struct stat status;
  CHECK(syscall(SYS_lstat, path, &status) == 0);
  return status;
}

static void Files(void) {
  struct stat status;
  char target[16];
  const int fd = (int)syscall(SYS_creat, "file", 0640);
  CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
  FAILS(syscall(SYS_open, "file", O_CREAT | O_EXCL, 0600), EEXIST);
  FAILS(syscall(SYS_open, BAD, O_RDONLY), EFAULT);
  FAILS(syscall(SYS_open, "", O_RDONLY), ENOENT);
  CHECK(close((int)syscall(SYS_open, "file", O_RDWR)) == 0);
  CHECK(syscall(SYS_stat, "file", &status) == 0 && status.st_size == 1);
  FAILS(syscall(SYS_stat, "file", BAD), EFAULT);
  FAILS(syscall(SYS_stat, NULL, &status), EFAULT);
  CHECK(syscall(SYS_symlink, "file", "link") == 0 && S_ISLNK(About("link").st_mode));
  CHECK(syscall(SYS_readlink, "link", target, sizeof(target)) == 4 && memcmp(target, "file", 4) == 0);
  FAILS(syscall(SYS_readlink, "file", target, sizeof(target)), EINVAL);
  FAILS(syscall(SYS_readlink, "link", target, 0), EINVAL);
  CHECK(syscall(SYS_link, "file", "hard") == 0 && About("hard").st_ino == About("file").st_ino);
  CHECK(syscall(SYS_rename, "hard", "renamed") == 0);
  FAILS(syscall(SYS_rename, "hard", "renamed"), ENOENT);
  CHECK(syscall(SYS_chmod, "file", 0600) == 0 && (About("file").st_mode & 07777) == 0600);
  CHECK(syscall(SYS_access, "file", R_OK | W_OK) == 0);
  FAILS(syscall(SYS_access, "file", 8), EINVAL);
  CHECK(syscall(SYS_chown, "file", -1, -1) == 0 && syscall(SYS_lchown, "link", -1, -1) == 0);
  CHECK(syscall(SYS_mkdir, "directory", 0700) == 0);
  FAILS(syscall(SYS_unlink, "directory"), EISDIR);
  FAILS(syscall(SYS_rmdir, "file"), ENOTDIR);
  CHECK(syscall(SYS_rmdir, "directory") == 0);
  CHECK(syscall(SYS_mknod, "pipe", S_IFIFO | 0600, 0) == 0 && S_ISFIFO(About("pipe").st_mode));
  CHECK(syscall(SYS_unlink, "pipe") == 0 && syscall(SYS_unlink, "link") == 0 && syscall(SYS_unlink, "renamed") == 0);
}

static void Times(void) {
  const struct utimbuf plain = {1000, 2000};
  const struct timeval fine[2] = {{3000, 500000}, {4000, 999999}}, wrong[2] = {{0, 1000000}, {0, 0}};
  CHECK(syscall(SYS_utime, "file", &plain) == 0 && About("file").st_mtime == 2000 && About("file").st_atime == 1000);
  FAILS(syscall(SYS_utime, "file", BAD), EFAULT);
  FAILS(syscall(SYS_utime, "none", &plain), ENOENT);
  CHECK(syscall(SYS_utimes, "file", fine) == 0 && About("file").st_mtim.tv_nsec == 999999000);
  FAILS(syscall(SYS_utimes, "file", wrong), EINVAL);
  const int here = open(".", O_RDONLY);
  CHECK(syscall(SYS_futimesat, here, "file", NULL) == 0 && About("file").st_mtime > 1000000);
  CHECK(syscall(SYS_futimesat, here, NULL, fine) == 0 && About(".").st_mtime == 4000);
  FAILS(syscall(SYS_futimesat, AT_FDCWD, "file", BAD), EFAULT);
  close(here);
  time_t told = 0;
  const time_t now = time(NULL);
  const time_t seconds = syscall(SYS_time, &told);
  CHECK(seconds == told && seconds + 1 >= now && seconds < now + 60);
  FAILS(syscall(SYS_time, BAD), EFAULT);
  CHECK(syscall(SYS_alarm, 1000) == 0 && syscall(SYS_alarm, 0) == 1000 && syscall(SYS_alarm, 0) == 0);
}

static void Descriptors(void) {
  int ends[2];
  CHECK(syscall(SYS_pipe, ends) == 0 && (fcntl(ends[0], F_GETFD) & FD_CLOEXEC) == 0);
  FAILS(syscall(SYS_pipe, BAD), EFAULT);
  CHECK(syscall(SYS_dup2, ends[1], 90) == 90 && syscall(SYS_dup2, 90, 90) == 90);
  FAILS(syscall(SYS_dup2, 91, 91), EBADF);
  FAILS(syscall(SYS_dup2, 91, 90), EBADF);
  FAILS(syscall(SYS_dup2, 90, -1), EBADF);
  const int epoll = (int)syscall(SYS_epoll_create, 1);
  FAILS(syscall(SYS_epoll_create, 0), EINVAL);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7}, got = {0};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
  CHECK(syscall(SYS_epoll_wait, epoll, &got, 1, 0) == 0);
  CHECK(write(90, "y", 1) == 1 && syscall(SYS_epoll_wait, epoll, &got, 1, -1) == 1 && got.data.u64 == 7);
  FAILS(syscall(SYS_epoll_wait, epoll, &got, 0, 0), EINVAL);
  const int counter = (int)syscall(SYS_eventfd, 3);
  uint64_t value;
  CHECK(read(counter, &value, sizeof(value)) == sizeof(value) && value == 3);
  const uint64_t set = 1u << (SIGUSR1 - 1);
  const int signals = (int)syscall(SYS_signalfd, -1, &set, sizeof(set));
  const int watch = (int)syscall(SYS_inotify_init);
  CHECK(signals >= 0 && watch >= 0);

  struct pollfd polled[2] = {{ends[0], POLLIN, 0}, {counter, POLLIN, 0}};
  CHECK(syscall(SYS_poll, polled, 2, 0) == 1 && polled[0].revents == POLLIN && polled[1].revents == 0);
  CHECK(syscall(SYS_poll, polled, 2, -1) == 1 && syscall(SYS_poll, polled + 1, 1, 5) == 0);
  FAILS(syscall(SYS_poll, BAD, 1, 0), EFAULT);

  fd_set ready;
  FD_ZERO(&ready);
  FD_SET(ends[0], &ready);
  FD_SET(counter, &ready);
  struct timeval patience = {100, 2000000};
  const int most = (ends[0] > counter ? ends[0] : counter) + 1;
  CHECK(syscall(SYS_select, most, &ready, NULL, NULL, &patience) == 1);
  CHECK(FD_ISSET(ends[0], &ready) && !FD_ISSET(counter, &ready));
  // What is left of the time, in whole seconds again.
  CHECK(patience.tv_sec > 40 && patience.tv_sec <= 102 && patience.tv_usec < 1000000);
  struct timeval none = {0, 0}, negative = {-1, 0};
  CHECK(syscall(SYS_select, 0, NULL, NULL, NULL, &none) == 0);
  FAILS(syscall(SYS_select, 0, NULL, NULL, NULL, &negative), EINVAL);
  FAILS(syscall(SYS_select, 0, NULL, NULL, NULL, BAD), EFAULT);
  CHECK(syscall(SYS_select, most, &ready, NULL, NULL, NULL) == 1);
  // In memory that cannot be written.
  static const struct timeval kConstant = {100, 0};
  CHECK(syscall(SYS_select, most, &ready, NULL, NULL, &kConstant) == 1);
  const int all[] = {ends[0], ends[1], 90, epoll, counter, signals, watch};
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); ++i) CHECK(close(all[i]) == 0);
}

static void Directories(void) {
  struct Old {
    unsigned long inode, next;
    unsigned short size;
    char name[];
  };
  char name[300];
  memset(name, 'n', sizeof(name));
  CHECK(mkdir("many", 0700) == 0 && chdir("many") == 0);
  for (int i = 0; i < 300; ++i) {
    name[1 + i % NAME_MAX] = 0;
    name[0] = (char)('a' + i / NAME_MAX);
    close(creat(name, 0600));
    name[1 + i % NAME_MAX] = 'n';
  }
  const int here = open(".", O_RDONLY | O_DIRECTORY);
  char buffer[8192];
  FAILS(syscall(SYS_getdents, here, buffer, 20), EINVAL);
  FAILS(syscall(SYS_getdents, here, buffer, -1), EINVAL);
  int files = 0, directories = 0;
  long size;
  while ((size = syscall(SYS_getdents, here, buffer, sizeof(buffer))) > 0) {
    for (long at = 0; at < size;) {
      const struct Old* const entry = (const struct Old*)(buffer + at);
      const char type = buffer[at + entry->size - 1];
      struct stat status;
      CHECK(lstat(entry->name, &status) == 0 && strlen(entry->name) + 20 <= entry->size);
      CHECK(strcmp(entry->name, "..") == 0 || status.st_ino == entry->inode);
      files += type == DT_REG;
      directories += type == DT_DIR;
      unlink(entry->name);
      at += entry->size;
    }
  }
  CHECK(size == 0 && files == 300 && directories == 2);
  close(here);
  FAILS(syscall(SYS_getdents, here, buffer, sizeof(buffer)), EBADF);
  CHECK(chdir("..") == 0 && rmdir("many") == 0);
}

static volatile int came;
static void OnAlarm(int signal) { came = signal; }

// Handlers end what waits, whatever SA_RESTART says; a stop does not.
static void Interruptions(void) {
  struct sigaction action = {.sa_handler = OnAlarm, .sa_flags = SA_RESTART};
  const struct itimerval soon = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  for (int i = 0; i < 4; ++i) {
    struct timeval patience = {1000, 0};
    came = 0;
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    if (i == 0) FAILS(syscall(SYS_pause), EINTR);
    if (i == 1) FAILS(syscall(SYS_poll, NULL, 0, 1000000), EINTR);
    if (i == 2) FAILS(syscall(SYS_select, 0, NULL, NULL, NULL, &patience), EINTR);
    if (i == 3) FAILS(syscall(SYS_poll, NULL, 0, -1), EINTR);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(came == SIGALRM && (i != 2 || (patience.tv_sec < 1000 && patience.tv_sec > 900)));
  }
  const pid_t child = fork();
  if (child == 0) {
    struct pollfd nothing = {-1, 0, 0};
    _exit(syscall(SYS_poll, &nothing, 1, 300) == 0 ? 0 : 1);
  }
  int status;
  CHECK(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
  CHECK(kill(child, SIGCONT) == 0 && ExitOf(child) == 0);
}

static void Processes(void) {
  CHECK(syscall(SYS_getpgrp) == getpgid(0));
  const pid_t child = (pid_t)syscall(SYS_fork);
  if (child == 0) _exit((int)syscall(SYS_getpgrp) == getpgid(getppid()) ? 5 : 6);
  CHECK(ExitOf(child) == 5);
}

struct Ustat {
  int free_blocks;
  unsigned long free_inodes;
  char names[12];
};

// The text without its NUL, at the end of what can be read.
static const char* BeforeNothing(const char* text) {
  char* const pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED && mprotect(pages + 4096, 4096, PROT_NONE) == 0);
  return memcpy(pages + 4096 - strlen(text), text, strlen(text));
}

static void FileSystems(void) {
  char name[64];
  const long count = syscall(SYS_sysfs, 3);
  CHECK(count > 2);
  for (long i = 0; i < count; ++i) {
    CHECK(syscall(SYS_sysfs, 2, i, name) == 0 && syscall(SYS_sysfs, 1, name) == i);
  }
  FAILS(syscall(SYS_sysfs, 2, count, name), EINVAL);
  FAILS(syscall(SYS_sysfs, 2, 0, BAD), EFAULT);
  FAILS(syscall(SYS_sysfs, 1, BAD), EFAULT);
  FAILS(syscall(SYS_sysfs, 1, "no such file system"), EINVAL);
  FAILS(syscall(SYS_sysfs, 1, ""), ENOENT);
  FAILS(syscall(SYS_sysfs, 1, BeforeNothing("proc")), EFAULT);
  FAILS(syscall(SYS_sysfs, 4), EINVAL);
  struct Ustat told;
  struct stat status;
  struct statfs space;
  CHECK(stat("/proc", &status) == 0 && syscall(SYS_ustat, status.st_dev, &told) == 0 && told.free_blocks == 0);
  CHECK(stat("/", &status) == 0 && statfs("/", &space) == 0 && syscall(SYS_ustat, status.st_dev, &told) == 0);
  FAILS(syscall(SYS_ustat, 0xfffff, &told), EINVAL);
  FAILS(syscall(SYS_ustat, status.st_dev, BAD), EFAULT);
}

int main(void) {
  CheckInside();
  Files();
  Times();
  Descriptors();
  Directories();
  Interruptions();
  Processes();
  FileSystems();
  return Pass();
}
