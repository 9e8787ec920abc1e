// Calls with the path /proc/self/exe act on the program, whatever they do to it; those that do not follow links, on the
// link.
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/time.h>

#include "tests/guests/guest.h"

#define LINK "/proc/self/exe"
static struct stat program;

static int IsProgram(int fd) {
  struct stat file;
  CHECK(fd >= 0 && fstat(fd, &file) == 0);
  close(fd);
  return file.st_ino == program.st_ino && file.st_dev == program.st_dev;
}

static struct stat Now(const char* self) {
  struct stat now;
  CHECK(stat(self, &now) == 0 && now.st_ino == program.st_ino);
  return now;
}

static void ChangesIt(const char* self) {
  CHECK(chmod(LINK, 0750) == 0 && (Now(self).st_mode & 0777) == 0750);
  CHECK(fchmodat(AT_FDCWD, LINK, 0700, 0) == 0 && (Now(self).st_mode & 0777) == 0700);
  const struct timespec times[2] = {{1000, 0}, {2000, 0}};
  CHECK(utimensat(AT_FDCWD, LINK, times, 0) == 0 && Now(self).st_mtime == 2000);
  const struct timeval old[2] = {{3000, 0}, {4000, 0}};
  CHECK(syscall(SYS_utimes, LINK, old) == 0 && Now(self).st_mtime == 4000);
  CHECK(chown(LINK, (uid_t)-1, (gid_t)-1) == 0);
  CHECK(inotify_add_watch(inotify_init(), LINK, IN_ATTRIB) > 0);
}

static void NamesIt(void) {
  char link[64];
  snprintf(link, sizeof(link), "proc_exe_paths.%d", getpid());
  CHECK(linkat(AT_FDCWD, LINK, AT_FDCWD, link, AT_SYMLINK_FOLLOW) == 0);
  CHECK(IsProgram(open(link, O_PATH)));
  CHECK(unlink(link) == 0);
  CHECK(IsProgram(open(LINK, O_PATH)));
  // ABI: open_tree(2) without OPEN_TREE_CLONE is open(O_PATH).
  enum { kOpenTree = 428 };
  const long tree = syscall(kOpenTree, AT_FDCWD, LINK, 0);
  CHECK(tree >= 0 ? IsProgram((int)tree) : errno == ENOSYS || errno == EPERM);
}

static void NotFollowed(void) {
  struct stat link;
  CHECK(open(LINK, O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
  const int fd = open(LINK, O_PATH | O_NOFOLLOW);
  CHECK(fd >= 0 && fstat(fd, &link) == 0 && S_ISLNK(link.st_mode));
  CHECK(lstat(LINK, &link) == 0 && S_ISLNK(link.st_mode));
  CHECK(unlink(LINK) < 0 && rename(LINK, LINK "x") < 0);
}

// As container runtimes protect themselves.
static void BoundElsewhere(void) {
  char place[64];
  snprintf(place, sizeof(place), "proc_exe_place.%d", getpid());
  CHECK(close(open(place, O_CREAT | O_WRONLY, 0600)) == 0);
  if (mount(LINK, place, "", MS_BIND, NULL) == 0) {
    CHECK(IsProgram(open(place, O_PATH)));
    CHECK(umount2(place, MNT_DETACH) == 0);
  } else {
    CHECK(errno == EPERM);
  }
  CHECK(unlink(place) == 0);
}

// The program may be read-only here, and others': what is changed is a copy.
static void RunCopy(const char* self) {
  char directory[] = "/tmp/proc_exe_paths.XXXXXX";
  char copy[64];
  char command[256];
  CHECK(mkdtemp(directory) != NULL);
  snprintf(copy, sizeof(copy), "%s/copy", directory);
  snprintf(command, sizeof(command), "cp '%s' %s && chmod 700 %s", self, copy, copy);
  CHECK(system(command) == 0);
  const pid_t child = fork();
  if (child == 0) {
    CHECK(chdir(directory) == 0);
    // What it mounts is its own, where it may mount.
    if (unshare(CLONE_NEWNS) == 0) CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    execl(copy, copy, "copy", NULL);
    _exit(1);
  }
  const int code = ExitOf(child);
  CHECK(unlink(copy) == 0 && rmdir(directory) == 0);
  CHECK(code == 0);
}

int main(int argc, char** argv) {
  if (argc == 1) {
    RunCopy(argv[0]);
    return Pass();
  }
  CHECK(stat(argv[0], &program) == 0);
  ChangesIt(argv[0]);
  NamesIt();
  NotFollowed();
  BoundElsewhere();
  return 0;
}
