// What the files of the strangers' attempts share. See main.c.
#ifndef GUISE_TESTS_SANDBOX_STRANGERS_STRANGERS_H_
#define GUISE_TESTS_SANDBOX_STRANGERS_STRANGERS_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "tests/sandbox/attempts.h"

extern const char* own_path;

extern const struct Way kFileWays[], kInodeWays[], kMountWays[], kProcessWays[], kSystemWays[], kShimWays[],
    kControls[];

static inline const char* Victim(void) { return Env("VICTIM"); }
static inline const char* Secret(void) { return Env("SECRET"); }
static inline pid_t Outside(void) { return atoi(Env("OUTSIDE")); }

static inline int Reads(long fd) {
  char byte = 0;
  return fd >= 0 && DO4(SYS_pread64, fd, &byte, 1, 0) == 1 && byte == 's';
}
static inline int Writes(long fd) { return fd >= 0 && DO3(SYS_write, fd, "escaped", 7) == 7; }
static inline long Open(const char* path, int flags) { return DO4(SYS_openat, AT_FDCWD, path, flags, 0600); }
static inline int Opens(const char* path, int flags) { return Open(path, flags | O_NONBLOCK | O_NOCTTY) >= 0; }

// The directory of the victim.
static inline const char* Home(void) {
  char* const home = (char*)Text("%s", Victim());
  *strrchr(home, '/') = 0;
  return home;
}

// By own `syscall` instructions: reads the secret, writes to the victim, connects to the listener, sees the outside.
int RawOut(void);
unsigned char* OwnCode(void);
// Runs a program in a kid, with STRANGER_PROBE=1 in its environment: whether it was out.
int ProbeOut(const char* path, char* const argv[], int execveat_flags, int by_own_code);
int CopyOfSelf(const char* path, mode_t mode);

#endif  // GUISE_TESTS_SANDBOX_STRANGERS_STRANGERS_H_
