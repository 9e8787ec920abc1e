// Tries to get out of a sandbox in ways that were thought of without knowledge of how Guise makes one: the protocol of
// attempts.h. "NAME out" stands for evidence (the secret was read, the victim changed, something forbidden obtained);
// controls ("ControlNAME") must say "out". Which attempts can succeed at all is told by a native run: native_test.cc.
// By the environment:
//   SECRET   a file that the policy hides, "secret"    VICTIM  a file that it makes read-only, also descriptor 0
//   HIDDEN   a directory that it hides                 OUTSIDE the pid of a process outside
//   PORT     of a listener on the host's loopback, of TCP, of UDP (that echoes), and of "@guise-test-PORT". Outside
//            may also be System V objects with the key PORT, a message queue and a /dev/shm file "guise-test-PORT"
//   GADGET=1 calls are made by an instruction of the shim that dispatch lets through: as if there were no shim
// Arguments: names of attempts; none: all; --list: what there is, and needs.
#include "tests/sandbox/strangers/strangers.h"

unsigned char* gadget;
char scratch_root[4096];
const char* own_path;
static unsigned char* raw;

unsigned char* OwnCode(void) {
  if (raw != NULL) return raw;
  unsigned char* const code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(code != MAP_FAILED);
  memcpy(code, "\x0f\x05\xc3", 3);
  CHECK(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0);
  return raw = code;
}

#define RAW(nr, a, b, c) CallThrough(raw, nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)

int RawOut(void) {
  char byte = 0;
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(Env("PORT"))), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  OwnCode();
  const long secret = RAW(SYS_open, Secret(), O_RDONLY, 0);
  if (secret >= 0 && RAW(SYS_read, secret, &byte, 1) == 1) return 1;
  const long victim = RAW(SYS_open, Victim(), O_WRONLY, 0);
  if (victim >= 0 && RAW(SYS_write, victim, "escaped", 7) == 7) return 1;
  if (RAW(SYS_kill, Outside(), 0, 0) == 0) return 1;
  const long connection = RAW(SYS_socket, AF_INET, SOCK_STREAM, 0);
  return connection >= 0 && RAW(SYS_connect, connection, &address, sizeof(address)) == 0;
}

int ProbeOut(const char* path, char* const argv[], int execveat_flags, int by_own_code) {
  const pid_t kid = Kid();
  if (kid == 0) {
    setenv("STRANGER_PROBE", "1", 1);
    if (by_own_code) {
      CallThrough(OwnCode(), SYS_execve, (long)path, (long)argv, (long)environ, 0, 0, 0);
    } else if (execveat_flags >= 0) {
      DO5(SYS_execveat, execveat_flags, path, argv, environ, AT_EMPTY_PATH);
    } else {
      DO3(SYS_execve, path, argv, environ);
    }
    _exit(1);
  }
  return KidIsOut(kid);
}

int CopyOfSelf(const char* path, mode_t mode) {
  char buffer[65536];
  ssize_t got;
  const int from = open(own_path, O_RDONLY | O_CLOEXEC), to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
  if (from < 0 || to < 0) return 0;
  while ((got = read(from, buffer, sizeof(buffer))) > 0) CHECK(write(to, buffer, (size_t)got) == got);
  return fchmod(to, mode) == 0 && close(to) == 0 && close(from) == 0;
}

// The word of a program that an attempt has started.
static int Probe(void) {
  if (getenv("STRANGER_CAPABILITIES") == NULL) return RawOut() ? kOut : 0;
  char line[256];
  unsigned long long effective = 0;
  FILE* const status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof(line), status) != NULL) sscanf(line, "CapEff: %llx", &effective);
  return effective != 0 ? kOut : 0;
}

int main(int argc, char** argv) {
  if (getenv("STRANGER_PROBE") != NULL) return Probe();
  own_path = argv[0];
  if (getenv("GADGET") != NULL) {
    gadget = FindGadget();
    CHECK(gadget != NULL);
  }
  const struct Way* const groups[] = {kFileWays,   kInodeWays, kMountWays, kProcessWays,
                                      kSystemWays, kControls,  kShimWays,  NULL};
  // Of attempts on the shim some end their process.
  return TryAll(groups, argc, argv, "held");
}
