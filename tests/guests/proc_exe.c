// /proc/self/exe is the program, not what brought it here: by readlink, by stat, by open, after exec and in children.
#include <pthread.h>

#include "tests/guests/guest.h"

static const char* self;

static void CheckLink(const char* link) {
  char target[4096];
  struct stat by_link;
  struct stat by_name;
  const ssize_t n = readlink(link, target, sizeof(target) - 1);
  CHECK(n > 0);
  target[n] = '\0';
  if (strcmp(target, self) != 0) fprintf(stderr, "%s -> %s\n", link, target);
  CHECK(strcmp(target, self) == 0);
  CHECK(readlink(link, target, 4) == 4 && memcmp(target, self, 4) == 0);
  // The size is an int: what a register holds above it means nothing.
  const uint64_t above = (uint64_t)1 << 32;
  target[5] = 'x';
  CHECK(syscall(SYS_readlink, link, target, above | 5) == 5 && memcmp(target, self, 5) == 0 && target[5] == 'x');
  CHECK(syscall(SYS_readlinkat, AT_FDCWD, link, target, above | 5) == 5 && target[5] == 'x');
  CHECK(syscall(SYS_readlink, link, target, above) < 0 && errno == EINVAL);
  CHECK(stat(link, &by_link) == 0 && stat(self, &by_name) == 0);
  CHECK(by_link.st_ino == by_name.st_ino && by_link.st_dev == by_name.st_dev);
  const int fd = open(link, O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0 && fstat(fd, &by_link) == 0 && by_link.st_ino == by_name.st_ino);
  close(fd);
}

static void* InThread(void* argument) {
  CheckLink("/proc/thread-self/exe");
  return argument;
}

int main(int argc, char** argv) {
  self = argv[0];
  char by_pid[64];
  pthread_t thread;
  snprintf(by_pid, sizeof(by_pid), "/proc/%d/exe", getpid());
  CheckLink("/proc/self/exe");
  CheckLink(by_pid);
  CHECK(pthread_create(&thread, NULL, InThread, NULL) == 0 && pthread_join(thread, NULL) == 0);
  if (argc > 1) return Pass();
  const pid_t child = fork();
  if (child == 0) {
    CheckLink("/proc/self/exe");
    _exit(3);
  }
  CHECK(ExitOf(child) == 3);
  execl("/proc/self/exe", self, "again", NULL);
  CHECK(0);
}
