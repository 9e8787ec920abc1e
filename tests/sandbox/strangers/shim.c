// Attempts on what Guise has in the process, and then by calls of one's own.
#include <asm/prctl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

#include "tests/sandbox/strangers/strangers.h"

static void DispatchOff(void) { DO5(SYS_prctl, 59 /* PR_SET_SYSCALL_USER_DISPATCH */, 0, 0, 0, 0); }

static int ByDispatchOff(void) {
  DispatchOff();
  return RawOut();
}
static int ByOwnHandler(void) {
  const struct {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned long mask;
  } standard = {SIG_DFL, 0, NULL, 0}, ignored = {SIG_IGN, 0, NULL, 0};
  DO4(SYS_rt_sigaction, SIGSYS, &ignored, NULL, 8);
  DO4(SYS_rt_sigaction, SIGSYS, &standard, NULL, 8);
  DispatchOff();
  return RawOut();
}

// What is mapped, in the way of /proc/self/maps. `what` NULL: without a name.
static int Ranges(const char* what, const char* access, unsigned long ranges[][2], int most) {
  char line[512], flags[8];
  int count = 0;
  FILE* const maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && count < most && fgets(line, sizeof(line), maps) != NULL) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx %7s", &start, &end, flags) != 3 || strcmp(flags, access) != 0) continue;
    if (what != NULL ? strstr(line, what) == NULL : strchr(line, '/') != NULL || strchr(line, '[') != NULL) continue;
    ranges[count][0] = start;
    ranges[count++][1] = end;
  }
  return count;
}
static int ByScribbledRequests(void) {
  unsigned long ranges[8][2];
  const int count = Ranges("guise-request", "rw-s", ranges, 8);
  OwnCode();
  DispatchOff();
  for (int i = 0; i < count; ++i) memset((void*)ranges[i][0], 0xa5, ranges[i][1] - ranges[i][0]);
  for (int i = 0; i < count; ++i) {
    const unsigned long size = ranges[i][1] - ranges[i][0];
    uint32_t* const words = (uint32_t*)ranges[i][0];
    for (unsigned long word = 0; word < size / 4; ++word) words[word] = (uint32_t)(word * 2654435761U);
    memset(words, 0, size);
    DO3(SYS_madvise, words, size, MADV_REMOVE);
  }
  return RawOut();
}
static int ByScribbledReplies(void) {
  unsigned long ranges[8][2];
  const int count = Ranges("guise-reply", "r--s", ranges, 8);
  for (int i = 0; i < count; ++i) {
    const unsigned long size = ranges[i][1] - ranges[i][0];
    if (DO3(SYS_mprotect, ranges[i][0], size, PROT_READ | PROT_WRITE) != 0) continue;
    OwnCode();
    DispatchOff();
    memset((void*)ranges[i][0], 0xff, size);
  }
  return RawOut();
}
static int ByScribbledMemory(void) {
  unsigned long ranges[64][2];
  OwnCode();
  DispatchOff();
  const int count = Ranges(" /\n", "rw-p", ranges, 64);
  for (int i = 0; i < count; ++i) memset((void*)ranges[i][0], 0, ranges[i][1] - ranges[i][0]);
  return RawOut();
}
static int ByUnmappedImage(void) {
  unsigned long ranges[8][2], shared[8][2];
  unsigned char* const code = OwnCode();
  DispatchOff();
  const int count = Ranges(" /\n", "r-xp", ranges, 8), shares = Ranges("guise-re", "rw-s", shared, 8);
  for (int i = 0; i < count; ++i) {
    CallThrough(code, SYS_munmap, (long)ranges[i][0], (long)(ranges[i][1] - ranges[i][0]), 0, 0, 0, 0);
  }
  for (int i = 0; i < shares; ++i) {
    CallThrough(code, SYS_munmap, (long)shared[i][0], (long)(shared[i][1] - shared[i][0]), 0, 0, 0, 0);
  }
  return RawOut();
}
// Text of the image's that gives up: then every `syscall` of the program is the kernel's.
static int ByRewrittenImage(void) {
  unsigned long ranges[8][2];
  const int count = Ranges(" /\n", "r-xp", ranges, 8);
  const long memory = Open("/proc/self/mem", O_RDWR);
  OwnCode();
  DispatchOff();
  for (int i = 0; i < count; ++i) {
    for (unsigned char* at = (unsigned char*)ranges[i][0]; at + 3 <= (unsigned char*)ranges[i][1]; ++at) {
      if (at[0] == 0x0f && at[1] == 0x05 && at != gadget)
        CallThrough(OwnCode(), SYS_pwrite64, memory, (long)"\x90\x90", 2, (long)at, 0, 0);
    }
  }
  return RawOut();
}
static int ByClosedDescriptors(void) {
  DO3(SYS_close_range, 3, ~0U, 0);
  DispatchOff();
  return RawOut();
}
static int BySharedMemoryShrunk(void) {
  for (int fd = 3; fd < 4096; ++fd) {
    if (DO3(SYS_fcntl, fd, 1034 /* F_GET_SEALS */, 0) >= 0) DO2(SYS_ftruncate, fd, 0);
  }
  for (int fd = 15000; fd < 20001; ++fd) {
    if (DO3(SYS_fcntl, fd, 1034 /* F_GET_SEALS */, 0) >= 0) DO2(SYS_ftruncate, fd, 0);
  }
  DispatchOff();
  return RawOut();
}
static int BySegmentBases(void) {
  unsigned long fs = 0;
  OwnCode();
  DO2(SYS_arch_prctl, ARCH_GET_FS, &fs);
  DO2(SYS_arch_prctl, ARCH_SET_GS, 0x1000);
  DispatchOff();
  DO2(SYS_arch_prctl, ARCH_SET_GS, 0);
  return RawOut();
}
static int ByRawFork(void) {
  unsigned char* const code = gadget != NULL ? gadget : OwnCode();
  const pid_t kid = (pid_t)CallThrough(code, SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
  if (kid == 0) _exit(RawOut() ? kOut : 0);
  return kid > 0 && KidIsOut(kid);
}
static int thread_out;
static void* Thread(void* unused) {
  DispatchOff();
  thread_out = RawOut();
  return unused;
}
static int ByThread(void) {
  pthread_t thread;
  return pthread_create(&thread, NULL, Thread, NULL) == 0 && pthread_join(thread, NULL) == 0 && thread_out;
}
// A thread of the kernel's making: dispatch is off in it, as in every new one.
static int ByRawThread(void) {
  static char stack[65536] __attribute__((aligned(16)));
  static volatile int out;
  unsigned char* const code = gadget != NULL ? gadget : OwnCode();
  long* const top = (long*)(stack + sizeof(stack) - 56);
  long result = SYS_clone;
  const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND;
  OwnCode();
  // The new stack starts with what the gadget returns to.
  __asm__ volatile("lea 1f(%%rip), %%r8\n\tmov %%r8, (%%rsi)\n\txor %%r8d, %%r8d\n\tcall *%%rbx\n1:"
                   : "+a"(result)
                   : "b"(code), "D"(flags), "S"(top), "d"(0L)
                   : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
  if (result == 0) {
    out = RawOut() ? kOut : 1;
    for (;;) CallThrough(OwnCode(), SYS_exit, 0, 0, 0, 0, 0, 0);
  }
  for (int i = 0; result > 0 && i < 200 && out == 0; ++i) usleep(10000);
  return out == kOut;
}
static int Filters(int action, long flags) {
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                               BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 0, 1),
                               BPF_STMT(BPF_RET | BPF_K, (unsigned)action),
                               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const struct sock_fprog program = {4, code};
  DO5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return (int)DO3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}
static int ByOwnFilter(void) {
  if (Filters(SECCOMP_RET_ALLOW, 0) != 0) return 0;
  DispatchOff();
  return RawOut();
}
// A listener of one's own lets every open go on.
static int ByOwnListener(void) {
  static struct seccomp_notif request;
  const int listener = Filters((int)SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  if (listener < 0) return 0;
  const pid_t kid = Kid();
  if (kid == 0) {
    DispatchOff();
    _exit(RawOut() ? kOut : 0);
  }
  struct pollfd ready = {.fd = listener, .events = POLLIN};
  while (poll(&ready, 1, 1000) == 1 && (ready.revents & POLLIN)) {
    memset(&request, 0, sizeof(request));
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) break;
    struct seccomp_notif_resp answer = {.id = request.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
  return KidIsOut(kid);
}
// The image itself, as a program: with the arguments of a program, of a loader, of nobody.
static int ByImage(void) {
  char* const self = (char*)own_path;
  char* const arguments[][5] = {{self, NULL},
                                {"", NULL},
                                {NULL},
                                {"guise-shim", self, NULL},
                                {"shim", "--", self, NULL},
                                {"/proc/self/exe", self, self, self, NULL}};
  for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); ++i) {
    if (ProbeOut("/proc/self/exe", arguments[i], -1, 0)) return 1;
    if (ProbeOut("", arguments[i], (int)Open("/proc/self/exe", O_PATH), 0)) return 1;
  }
  return 0;
}
static int ByUnlimitedStack(void) {
  const struct rlimit small = {65536, 65536}, few = {4, 4};
  char* const arguments[] = {(char*)own_path, NULL};
  DO2(SYS_setrlimit, RLIMIT_STACK, &small);
  DO2(SYS_setrlimit, RLIMIT_NOFILE, &few);
  DO2(SYS_setrlimit, RLIMIT_MEMLOCK, &few);
  return ProbeOut(own_path, arguments, -1, 0);
}

// The last ones leave a session in which nothing is executed any more.
const struct Way kShimWays[] = {WAY(ByDispatchOff),
                                WAY(ByOwnHandler),
                                WAY(ByRewrittenImage),
                                WAY(ByClosedDescriptors),
                                WAY(BySegmentBases),
                                WAY(ByRawFork),
                                WAY(ByThread),
                                WAY(ByRawThread),
                                WAY(ByOwnFilter),
                                WAY(ByOwnListener),
                                WAY(ByImage),
                                WAY(ByUnlimitedStack),
                                WAY(ByUnmappedImage),
                                WAY(ByScribbledMemory),
                                WAY(ByScribbledReplies),
                                WAY(BySharedMemoryShrunk),
                                WAY(ByScribbledRequests),
                                {NULL, NULL, NULL}};
