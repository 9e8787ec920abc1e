// Exec where little is left: low descriptors all taken, few allowed, little address space, a stack without end, another
// user, new namespaces, a root without /proc. The program is the same one, inside.
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "tests/guests/guest.h"

static char* self;

static void Again(const char* path) {
  execl(path, path, "again", NULL);
  fprintf(stderr, "exec of %s: %s\n", path, strerror(errno));
  _exit(99);
}

static void Limit(int resource, rlim_t soft) {
  struct rlimit limit;
  CHECK(getrlimit(resource, &limit) == 0);
  limit.rlim_cur = soft;
  CHECK(setrlimit(resource, &limit) == 0);
}

static void TakeLowFds(void) {
  for (int fd = 3; fd < 200; ++fd) CHECK(dup2(0, fd) == fd);
}

static void FewFds(void) { Limit(RLIMIT_NOFILE, 16); }
static void LittleMemory(void) { Limit(RLIMIT_AS, 512 << 20); }
static void EndlessStack(void) { Limit(RLIMIT_STACK, RLIM_INFINITY); }
static void SmallStack(void) { Limit(RLIMIT_STACK, 256 << 10); }

static void AnotherUser(void) {
  if (getuid() != 0) return;
  CHECK(chmod(".", 0755) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
}

// Where the machine lets us.
static int OwnNamespaces(void) { return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC) == 0; }

static void NewNamespaces(void) {
  if (!OwnNamespaces()) return;
  const pid_t child = fork();
  if (child == 0) {
    CHECK(getpid() == 1);
    Again(self);
  }
  _exit(ExitOf(child));
}

static void RootWithoutProc(void) {
  char bytes[65536];
  const int from = open(self, O_RDONLY);
  CHECK(mkdir("root", 0755) == 0);
  const int to = open("root/program", O_WRONLY | O_CREAT, 0755);
  CHECK(from >= 0 && to >= 0);
  for (ssize_t size; (size = read(from, bytes, sizeof(bytes))) > 0;) CHECK(write(to, bytes, (size_t)size) == size);
  close(from);
  close(to);
  // Only a static program finds all that it needs there.
  if (getauxval(AT_BASE) != 0 || (chroot("root") != 0 && (!OwnNamespaces() || chroot("root") != 0))) return;
  CHECK(chdir("/") == 0);
  Again("/program");
}

int main(int argc, char** argv) {
  self = argv[0];
  if (argc > 1) {
    CHECK(argc == 2 && argv[2] == NULL);
    const pid_t child = fork();
    if (child == 0) _exit(12);
    return ExitOf(child);
  }
  // The other user comes last: from then on a session with fake ids keeps track of processes.
  void (*const all[])(void) = {TakeLowFds, FewFds,        LittleMemory,    EndlessStack,
                               SmallStack, NewNamespaces, RootWithoutProc, AnotherUser};
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); ++i) {
    const pid_t child = fork();
    if (child == 0) {
      all[i]();
      Again(self);
    }
    const int code = ExitOf(child);
    if (code != 12) {
      fprintf(stderr, "surroundings %zu: %d\n", i, code);
      return 1;
    }
  }
  return Pass();
}
