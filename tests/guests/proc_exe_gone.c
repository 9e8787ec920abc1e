// /proc/self/exe leads to the file that is executed, whatever has become of its name.
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "tests/guests/guest.h"

#define LINK "/proc/self/exe"

// Runs in a program that was exec'ed with `expected` as its file, by device and inode. `name`: what its link reads, or
// the beginning of that; empty: whatever.
static void IsHere(const char* expected, const char* name) {
  struct stat file;
  char text[64], link[512] = "";
  CHECK(stat(LINK, &file) == 0 && S_ISREG(file.st_mode));
  snprintf(text, sizeof(text), "%lx:%lx", file.st_dev, file.st_ino);
  CHECK(strcmp(text, expected) == 0);
  const int fd = open(LINK, O_RDONLY);
  CHECK(fd >= 0 && fstat(fd, &file) == 0);
  snprintf(text, sizeof(text), "%lx:%lx", file.st_dev, file.st_ino);
  CHECK(strcmp(text, expected) == 0 && close(fd) == 0);
  CHECK(access(LINK, R_OK) == 0 && stat("/proc//self/./exe", &file) == 0);
  snprintf(text, sizeof(text), "%lx:%lx", file.st_dev, file.st_ino);
  CHECK(strcmp(text, expected) == 0);
  FAILS(open(LINK, O_WRONLY), ETXTBSY);
  const ssize_t length = readlink(LINK, link, sizeof(link) - 1);
  CHECK(length > 0 && strncmp(link, name, strlen(name)) == 0);
}

static void Expect(const char* path, char* expected, size_t size) {
  struct stat file;
  CHECK(stat(path, &file) == 0);
  snprintf(expected, size, "%lx:%lx", file.st_dev, file.st_ino);
}

static void Wait(pid_t child) {
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// The program's own file goes, and another takes its name.
static int Replaced(const char* path, const char* expected) {
  char gone[512];
  snprintf(gone, sizeof(gone), "%s (deleted)", path);
  IsHere(expected, path);
  CHECK(unlink(path) == 0);
  IsHere(expected, gone);
  const int other = open(path, O_CREAT | O_WRONLY, 0755);
  CHECK(other >= 0 && write(other, "other", 5) == 5 && close(other) == 0);
  IsHere(expected, gone);
  const pid_t child = fork();
  if (child == 0) execl(LINK, "again", "here", expected, gone, NULL);
  Wait(child);
  CHECK(unlink(path) == 0);
  return 0;
}

static int Memory(const char* self) {
  char expected[64];
  const int program = memfd_create("program", MFD_CLOEXEC), file = open(self, O_RDONLY);
  char bytes[1 << 16];
  ssize_t size;
  while ((size = read(file, bytes, sizeof(bytes))) > 0) CHECK(write(program, bytes, (size_t)size) == size);
  snprintf(bytes, sizeof(bytes), "/proc/self/fd/%d", program);
  Expect(bytes, expected, sizeof(expected));
  char* const argv[] = {"memory", "twice", expected, NULL};
  const pid_t child = fork();
  if (child == 0) fexecve(program, argv, environ);
  Wait(child);
  return 0;
}

// On a mount that is not in the tree any more: what container runtimes exec themselves from.
static int Detached(void) {
  char expected[64], place[] = "/tmp/proc_exe_gone.XXXXXX";
  Expect(LINK, expected, sizeof(expected));
  CHECK(close(mkstemp(place)) == 0 && mount(LINK, place, "", MS_BIND, NULL) == 0);
  const int program = open(place, O_PATH | O_CLOEXEC);
  CHECK(program >= 0 && umount2(place, MNT_DETACH) == 0 && unlink(place) == 0);
  char* const argv[] = {"detached", "twice", expected, NULL};
  const pid_t child = fork();
  if (child == 0) fexecve(program, argv, environ);
  Wait(child);
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 4 && strcmp(argv[1], "here") == 0) return IsHere(argv[2], argv[3]), 0;
  if (argc == 2 && strcmp(argv[1], "detached") == 0) return Detached();
  if (argc == 4 && strcmp(argv[1], "replaced") == 0) return Replaced(argv[2], argv[3]);
  if (argc == 3 && strcmp(argv[1], "twice") == 0) {
    IsHere(argv[2], "");
    execl(LINK, "again", "here", argv[2], "", NULL);
    return 1;
  }
  char self[512] = "", directory[] = "/tmp/proc_exe_gone.XXXXXX", copy[64], command[1024], expected[64];
  CHECK(readlink(LINK, self, sizeof(self) - 1) > 0 && mkdtemp(directory) != NULL);
  snprintf(copy, sizeof(copy), "%s/copy", directory);
  snprintf(command, sizeof(command), "cp '%s' %s && chmod 755 %s %s", self, copy, directory, copy);
  CHECK(system(command) == 0);

  Expect(copy, expected, sizeof(expected));
  pid_t child = fork();
  if (child == 0) execl(copy, "copy", "replaced", copy, expected, NULL);
  Wait(child);
  CHECK(rmdir(directory) == 0);
  Memory(self);
  // Where mounts may be made; the program has to be on one of the new namespace.
  if (unshare(CLONE_NEWNS) == 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
    child = fork();
    if (child == 0) execl(self, "self", "detached", NULL);
    Wait(child);
  }
  return Pass();
}
