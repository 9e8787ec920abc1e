// Without libc: the stack that a program starts with is the kernel's; calls, fork, wait and exec work from it.
#include "tests/guests/raw.h"

static unsigned long Number(const char* text) {
  unsigned long number = 0;
  for (; *text >= '0' && *text <= '9'; ++text) number = number * 10 + (unsigned long)(*text - '0');
  return number;
}

static const char* Value(char** environment, const char* name) {
  for (; *environment != 0; ++environment) {
    int i = 0;
    while (name[i] != '\0' && (*environment)[i] == name[i]) ++i;
    if (name[i] == '\0' && (*environment)[i] == '=') return *environment + i + 1;
  }
  return 0;
}

static void Check(int good, const char* what) {
  if (good) return;
  Print(what);
  Exit(1);
}

void Start(long* stack) {
  const long argc = stack[0];
  char** argv = (char**)(stack + 1);
  char** environment = argv + argc + 1;
  long* auxiliary = stack + 1 + argc + 1;
  Check(((long)stack & 15) == 0, "the stack is not aligned\n");
  Check(argv[argc] == 0, "argv has no end\n");
  while (*auxiliary++ != 0) {
  }
  int seen = 0;
  for (; auxiliary[0] != 0; auxiliary += 2) seen |= auxiliary[0] == 9 ? 1 : auxiliary[0] == 3 ? 2 : 0;
  Check(seen == 3, "AT_ENTRY or AT_PHDR is missing\n");
  const char* uid = Value(environment, "GUEST_UID");
  Check(uid != 0, "no GUEST_UID\n");
  Check(Value(environment, "GUISE_SHIM") == 0, "GUISE_SHIM shows\n");
  Check(Call(__NR_getuid, 0, 0, 0, 0) == (long)Number(uid), "not the uid expected\n");
  if (argc > 1) Exit(17);
  const long child = Call(__NR_fork, 0, 0, 0, 0);
  if (child == 0) {
    Check(Call(__NR_getuid, 0, 0, 0, 0) == (long)Number(uid), "not the uid expected in the child\n");
    char* const again[] = {argv[0], "again", 0};
    Call(__NR_execve, (long)argv[0], (long)again, (long)environment, 0);
    Exit(99);
  }
  int status = 0;
  Check(child > 0 && Call(__NR_wait4, child, (long)&status, 0, 0) == child, "wait4\n");
  Check(status == 17 << 8, "the child ended otherwise\n");
  const long memory = Call(__NR_brk, 0, 0, 0, 0);
  Check(Call(__NR_brk, memory + 8192, 0, 0, 0) == memory + 8192, "brk\n");
  *(volatile char*)memory = 1;
  Print("pass\n");
  Exit(0);
}
