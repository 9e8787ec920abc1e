// A program that lets itself run what lies in some directories and nothing else (landlock(7)) runs what is allowed,
// also once more from there, and nothing else.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/guests/guest.h"

enum { kExecute = 1, kPathBeneath = 1, kCheck = 0x10000 };
struct PathBeneath {
  uint64_t access;
  int32_t parent;
} __attribute__((packed));

static void Allow(int ruleset, const char* path) {
  const int parent = open(path, O_PATH | O_CLOEXEC);
  if (parent < 0) return;
  const struct PathBeneath rule = {kExecute, parent};
  CHECK(syscall(SYS_landlock_add_rule, ruleset, kPathBeneath, &rule, 0) == 0);
  close(parent);
}

static void CopyTo(const char* from, const char* to) {
  const int in = open(from, O_RDONLY | O_CLOEXEC);
  const int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
  CHECK(in >= 0 && out >= 0);
  char bytes[4096];
  for (ssize_t size; (size = read(in, bytes, sizeof(bytes))) > 0;) CHECK(write(out, bytes, (size_t)size) == size);
  close(in);
  close(out);
}

// The exit code of the program with one argument; 127: it was refused with EACCES.
static int Run(const char* path, const char* argument) {
  const pid_t child = fork();
  if (child == 0) {
    execl(path, path, argument, NULL);
    _exit(errno == EACCES ? 127 : 126);
  }
  return ExitOf(child);
}

// Whether Linux tells without an exec what may be run, which Guise needs.
static int CanAsk(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  char* const words[] = {"", NULL};
  return syscall(SYS_execveat, fd, "", words, words + 1, AT_EMPTY_PATH | kCheck) == 0;
}

int main(int argc, char** argv) {
  if (argc > 1) {
    CheckInside();
    // The restriction is inherited, from one program to the next.
    if (strcmp(argv[1], "ask") == 0) return Run("not/program", "end") == 127 ? 7 : 1;
    return 7;
  }
  CHECK(mkdir("allowed", 0755) == 0 && mkdir("not", 0755) == 0);
  CopyTo("/proc/self/exe", "allowed/program");
  CopyTo("/proc/self/exe", "not/program");
  const uint64_t handled = kExecute;
  const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
  if (ruleset < 0) return Unsupported("Landlock");
  Allow(ruleset, "allowed");
  for (const char* const* path = (const char*[]){"/usr", "/lib", "/lib64", NULL}; *path != NULL; ++path) {
    Allow(ruleset, *path);
  }
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(syscall(SYS_landlock_restrict_self, ruleset, 0) == 0);
  close(ruleset);
  CHECK(Run("allowed/program", "end") == 7);
  if (CanAsk("allowed/program")) {
    CHECK(Run("not/program", "end") == 127);
    CHECK(Run("allowed/program", "ask") == 7);
  }
  return Pass();
}
