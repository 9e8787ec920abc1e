// Attempts to get out of a sandbox, what they need, and how they are run.
#ifndef GUISE_TESTS_SANDBOX_ATTEMPTS_H_
#define GUISE_TESTS_SANDBOX_ATTEMPTS_H_

#include <ftw.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

#include "tests/sandbox/call.h"

struct Way {
  const char* name;
  int (*is_out)(void);
  // What a machine or an account has to have for the attempt to succeed without a sandbox: names of findings of
  // `guise doctor`, and these, with "; " between them. Of the working directory: the victim's.
  //   a cover               HIDDEN is covered by a mount, as a sandbox does it
  //   a hole in the kernel  it is one that was mended
  const char* needs;
};
#define WAY(name, ...) \
  { #name, name, "" __VA_ARGS__ }
#define ROOT "root's privileges"
#define OF_FILES(what) what ", working directory"

__attribute__((format(printf, 1, 2))) static inline const char* Text(const char* format, ...) {
  static char texts[8][4096];
  static unsigned next;
  char* const text = texts[next++ % 8];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(texts[0]), format, arguments);
  va_end(arguments);
  return text;
}

// A new directory that the guest may write to; gone when all have been tried.
extern char scratch_root[4096];
static inline const char* Scratch(void) {
  char* const scratch = (char*)Text("%s/XXXXXX", scratch_root);
  CHECK(mkdtemp(scratch) != NULL);
  return scratch;
}

static inline pid_t Kid(void) {
  const pid_t kid = fork();
  if (kid == 0) {
    alarm(8);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
  }
  return kid;
}
// A kid's word for "out".
enum { kOut = 42 };
static inline int KidIsOut(pid_t kid) { return ExitOf(kid) == kOut; }

static inline int IsRefused(long result) {
  return result == -EPERM || result == -EACCES || result == -ENOSYS || result == -ENOENT;
}

// A set-uid program of root's that waits for a password, and is looked at meanwhile: whether it holds capabilities.
static inline int SetUidProgramGains(void) {
  int ends[2];
  const char* const su[] = {"su", NULL};
  CHECK(pipe(ends) == 0);
  const pid_t kid = Kid();
  if (kid == 0) {
    CHECK(dup2(ends[0], 0) == 0 && close(ends[1]) == 0 && setsid() > 0);
    dup2(open("/dev/null", O_WRONLY), 1);
    dup2(1, 2);
    // Root has something to gain once it is another.
    if (getuid() == 0) DO3(SYS_setresuid, 65534, 65534, 65534);
    DO3(SYS_execve, "/usr/bin/su", su, environ);
    _exit(0);
  }
  int out = 0;
  for (int i = 0; i < 100 && !out; ++i) {
    char line[256];
    unsigned long long effective = 0;
    unsigned uid = 0;
    int is_su = 0;
    FILE* const status = fopen(Text("/proc/%d/status", kid), "r");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
      if (strcmp(line, "Name:\tsu\n") == 0) is_su = 1;
      sscanf(line, "Uid: %u", &uid);
      sscanf(line, "CapEff: %llx", &effective);
    }
    if (status != NULL) fclose(status);
    out = is_su && effective != 0;
    usleep(10000);
  }
  kill(kid, SIGKILL);
  return out;
}

// A disk's number: the first that the kernel tells of, else what is one in many machines.
static inline dev_t Disk(void) {
  unsigned numbers[2] = {254, 0};
  char line[256];
  FILE* const partitions = fopen("/proc/partitions", "r");
  while (partitions != NULL && fgets(line, sizeof(line), partitions) != NULL) {
    if (sscanf(line, " %u %u", &numbers[0], &numbers[1]) == 2) break;
  }
  return makedev(numbers[0], numbers[1]);
}

static inline int RemoveOne(const char* path, const struct stat* status, int kind, struct FTW* place) {
  (void)status, (void)kind, (void)place;
  // Something may be mounted there.
  if (remove(path) != 0 && errno == EBUSY && umount2(path, MNT_DETACH) == 0) remove(path);
  return 0;
}
static inline int MakesScratchRoot(const char* directory) {
  snprintf(scratch_root, sizeof(scratch_root), "%s/attempts.XXXXXX", directory);
  return mkdtemp(scratch_root) != NULL && chmod(scratch_root, 0755) == 0;
}

static inline int IsAsked(int argc, char** argv, const char* name) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], name) == 0) return 1;
  }
  return argc < 2;
}

// Tries those that the arguments name (none: all), each in a process of its own, as some change it and some end it;
// says "NAME out" or "NAME held" of each, and `ended` of one that ended otherwise. With --list: only says what there
// is, "NAME: NEEDS" in a line. The groups end with NULL, as each of them does.
static inline int TryAll(const struct Way* const groups[], int argc, char** argv, const char* ended) {
  const int list = argc == 2 && strcmp(argv[1], "--list") == 0;
  if (!list) CHECK(MakesScratchRoot("/tmp") || MakesScratchRoot(Env("TMPDIR")));
  for (; *groups != NULL; ++groups) {
    for (const struct Way* way = *groups; way->name != NULL; ++way) {
      if (list) printf("%s: %s\n", way->name, way->needs);
      if (list || !IsAsked(argc, argv, way->name)) continue;
      const pid_t child = fork();
      if (child == 0) {
        alarm(10);
        _exit(way->is_out() ? kOut : 0);
      }
      const int code = ExitOf(child);
      if (code != kOut && code != 0) fprintf(stderr, "%s ended with %d\n", way->name, code);
      printf("%s %s\n", way->name, code == kOut ? "out" : code == 0 ? "held" : ended);
      fflush(stdout);
    }
  }
  if (list) return fflush(stdout);
  nftw(scratch_root, RemoveOne, 16, FTW_DEPTH | FTW_PHYS);
  return Pass();
}

#endif  // GUISE_TESTS_SANDBOX_ATTEMPTS_H_
