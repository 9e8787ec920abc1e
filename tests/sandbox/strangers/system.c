// Attempts on the kernel's surface, on the host's settings, and by exec.
#include <asm/ldt.h>
#include <dirent.h>
#include <elf.h>
#include <linux/capability.h>
#include <linux/fanotify.h>
#include <pthread.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include "tests/sandbox/strangers/strangers.h"

// --- the kernel
static int FanotifyOfContent(void) { return DO2(SYS_fanotify_init, FAN_CLASS_CONTENT, O_RDONLY) >= 0; }
static int FanotifyOfFileSystem(void) {
  const long fd = DO2(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY);
  return DO5(SYS_fanotify_mark, fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "/") == 0;
}
static int FaultsByDevice(void) {
  return DO2(SYS_ioctl, Open("/dev/userfaultfd", O_RDWR), 0xaa00 /* USERFAULTFD_IOC_NEW */) >= 0;
}
static int RareDevices(void) {
  const char* const devices[] = {"kvm",           "fuse",  "loop-control",    "kmsg",   "vda",   "vga_arbiter",
                                 "btrfs-control", "hwrng", "cpu_dma_latency", "autofs", "zram0", "vsock"};
  for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); ++i) {
    if (Opens(Text("/dev/%s", devices[i]), O_RDONLY)) return 1;
  }
  return 0;
}
static int KernelLog(void) {
  char text[64];
  return DO3(SYS_syslog, 3 /* read all */, text, sizeof(text)) > 0;
}
static int KernelLogWithHighHalf(void) { return DO3(SYS_syslog, 10L | 1L << 32, NULL, 0) > 0; }
static int KernelMemory(void) {
  return Opens("/proc/kcore", O_RDONLY) || Opens("/proc/kpageflags", O_RDONLY) || Opens("/proc/kpagecount", O_RDONLY);
}
static int KernelTables(void) {
  return Opens("/proc/vmallocinfo", O_RDONLY) || Opens("/proc/slabinfo", O_RDONLY) ||
         Opens("/proc/timer_list", O_RDONLY);
}
static int RingCalls(void) {
  const long enter = DO6(SYS_io_uring_enter, 0, 0, 0, 0, NULL, 0), set = DO4(SYS_io_uring_register, 0, 0, NULL, 0);
  return !IsRefused(enter) || !IsRefused(set);
}
static int KeyRings(void) {
  return DO5(SYS_add_key, "user", "stranger", "x", 1, -2 /* KEY_SPEC_PROCESS_KEYRING */) >= 0 ||
         DO2(SYS_keyctl, 0L | 1L << 32 /* KEYCTL_GET_KEYRING_ID */, -3) >= 0 || DO2(SYS_keyctl, 1, NULL) >= 0;
}
static int KeyRequest(void) {
  const long result = DO4(SYS_request_key, "user", "stranger", NULL, -2);
  return !IsRefused(result);
}
static int KeysListed(void) { return DO4(SYS_keyctl, 6 /* KEYCTL_DESCRIBE */, -4 /* user */, NULL, 0) > 0; }
static int BpfWithHighHalf(void) {
  const uint32_t map[16] = {2 /* array */, 4, 4, 1};
  return DO3(SYS_bpf, 0L | 1L << 32, map, sizeof(map)) >= 0;
}
static int BpfObject(void) {
  const uint32_t id[4] = {0};
  const long result = DO3(SYS_bpf, 11 /* BPF_PROG_GET_NEXT_ID */, id, sizeof(id));
  return result == 0 || result == -ENOENT;
}
static int PerfOfOutside(void) {
  uint32_t event[32] = {1 /* software */, sizeof(event), [10] = 0x60 /* neither kernel nor hypervisor */};
  return DO5(SYS_perf_event_open, event, Outside(), -1, -1, 0) >= 0;
}
static int PerfOfMachine(void) {
  uint32_t event[32] = {1 /* software */, sizeof(event)};
  return DO5(SYS_perf_event_open, event, -1, 0, -1, 0) >= 0;
}
static int LocalDescriptors(void) {
  struct user_desc segment = {.entry_number = 0, .limit = 1, .seg_32bit = 1};
  return DO3(SYS_modify_ldt, 0x11, &segment, sizeof(segment)) == 0;
}
static int RealTime(void) {
  const struct sched_param priority = {.sched_priority = 1};
  return DO3(SYS_sched_setscheduler, 0, SCHED_FIFO, &priority) == 0;
}
static int MoreNice(void) { return DO3(SYS_setpriority, 0, 0, -5) == 0; }

// --- the host's settings: to what they are
static int ClockOfHost(void) {
  struct timespec now;
  CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
  return DO2(SYS_clock_settime, CLOCK_REALTIME, &now) == 0;
}
static int TimeZoneOfHost(void) {
  struct timezone zone;
  struct timeval now;
  CHECK(gettimeofday(&now, &zone) == 0);
  return DO2(SYS_settimeofday, NULL, &zone) == 0;
}
static int TicksOfHost(void) {
  struct timex state = {.modes = 0};
  if (adjtimex(&state) < 0) return 0;
  state.modes = ADJ_TICK;
  return DO1(SYS_adjtimex, &state) >= 0 || DO2(SYS_clock_adjtime, CLOCK_REALTIME, &state) >= 0;
}
static int DomainOfHost(void) {
  char name[65] = "";
  CHECK(getdomainname(name, sizeof(name)) == 0);
  return DO2(SYS_setdomainname, name, strlen(name)) == 0;
}
// How many files below can be opened for writing; nothing is written.
static int Writable(const char* path, int depth) {
  DIR* const directory = depth > 0 ? opendir(path) : NULL;
  const struct dirent* entry;
  int count = 0;
  while (directory != NULL && (entry = readdir(directory)) != NULL) {
    const char* const name = entry->d_name;
    if (name[0] == '.' || (name[0] >= '0' && name[0] <= '9') || strstr(name, "self") != NULL) continue;
    char full[1024];
    snprintf(full, sizeof(full), "%s/%s", path, name);
    if (entry->d_type == DT_DIR) {
      count += Writable(full, depth - 1);
    } else if (entry->d_type == DT_REG) {
      const long fd = Open(full, O_WRONLY | O_NONBLOCK);
      if (fd < 0) continue;
      ++count;
      close((int)fd);
      if (getenv("VERBOSE") != NULL) fprintf(stderr, "writable: %s\n", full);
    }
  }
  if (directory != NULL) closedir(directory);
  return count;
}
static int WritableProc(void) { return Writable("/proc", 3) > 0; }
static int WritableSys(void) { return Writable("/sys/kernel", 3) > 0 || Writable("/sys/module", 3) > 0; }
static int WritableGroups(void) { return Writable("/sys/fs/cgroup", 2) > 0; }
static int NewGroup(void) {
  const char* const places[] = {"/sys/fs/cgroup/unified/stranger", "/sys/fs/cgroup/pids/stranger",
                                "/sys/fs/cgroup/stranger"};
  for (int i = 0; i < 3; ++i) {
    if (DO3(SYS_mkdirat, AT_FDCWD, places[i], 0700) == 0) return rmdir(places[i]) == 0;
  }
  return 0;
}
static int SettingsByOtherNames(void) {
  const char* const names[] = {"/proc/self/root/proc/sys/kernel/hostname", "/proc/self/../sys/kernel/domainname",
                               "/proc/thread-self/../../../sys/kernel/core_pattern", "/proc/1/../sys/vm/swappiness",
                               "/proc/self/cwd/../../../../../proc/sys/fs/file-max"};
  for (int i = 0; i < 5; ++i) {
    if (Opens(names[i], O_WRONLY)) return 1;
  }
  return 0;
}

// --- privileges
static int Capability(int number, int inheritable) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  if (DO2(SYS_capget, &header, data) != 0) return 0;
  data[number / 32].permitted |= 1U << (number % 32);
  data[number / 32].effective |= 1U << (number % 32);
  if (inheritable) data[number / 32].inheritable |= 1U << (number % 32);
  return DO2(SYS_capset, &header, data) == 0;
}
static int AmbientCapability(void) {
  return Capability(CAP_SYS_ADMIN, 1) && DO5(SYS_prctl, 47 /* PR_CAP_AMBIENT */, 2, CAP_SYS_ADMIN, 0, 0) == 0;
}
static int AnyCapability(void) {
  for (int number = 0; number <= CAP_LAST_CAP; ++number) {
    if (Capability(number, 0)) return 1;
  }
  return 0;
}
static int BitsUnlocked(void) { return DO5(SYS_prctl, PR_SET_SECUREBITS, 0, 0, 0, 0) == 0; }
static int OtherIds(void) {
  const unsigned groups[] = {4, 6, 42};
  return DO2(SYS_setgroups, 3, groups) == 0 || DO3(SYS_setresgid, 4, 4, 4) == 0 ||
         DO3(SYS_setresuid, 33, 33, 33) == 0 || (DO1(SYS_setfsuid, 33) >= 0 && DO1(SYS_setfsuid, -1) == 33);
}
static int CapabilitiesOfFile(void) {
  const uint32_t all[5] = {0x02000001, ~0U, 0, 0x1ff, 0};
  const char* const name = Text("%s/program", Scratch());
  return CopyOfSelf(name, 0755) && DO5(SYS_setxattr, name, "security.capability", all, sizeof(all), 0) == 0;
}
static int ProbeCapabilities(const char* path) {
  char* const arguments[] = {(char*)path, NULL};
  setenv("STRANGER_CAPABILITIES", "1", 1);
  return ProbeOut(path, arguments, -1, 0);
}
static int CapabilitiesOfRoot(void) { return ProbeCapabilities(own_path); }
static int CapabilitiesBySetUid(void) {
  const char *const scratch = Scratch(), *const name = Text("%s/program", scratch);
  if (!CopyOfSelf(name, 0755) || DO5(SYS_fchownat, AT_FDCWD, name, 0, 0, 0) != 0 || chmod(scratch, 0755) != 0) return 0;
  const pid_t kid = Kid();
  if (kid == 0) {
    _exit(DO3(SYS_fchmodat, AT_FDCWD, name, 06755) == 0 && DO1(SYS_setuid, 65534) == 0 && ProbeCapabilities(name) ? kOut
                                                                                                                  : 0);
  }
  const int out = KidIsOut(kid);
  unlink(name);
  return out;
}
static int SetUidProgram(void) { return SetUidProgramGains(); }

// --- exec: what was started looks for a way out by its own calls
static int ProbeByMemory(void) {
  char* const arguments[] = {"", NULL};
  char buffer[65536];
  ssize_t got;
  const int from = open(own_path, O_RDONLY), memory = (int)DO2(SYS_memfd_create, "program", 0);
  CHECK(from >= 0 && memory >= 0);
  while ((got = read(from, buffer, sizeof(buffer))) > 0) CHECK(write(memory, buffer, (size_t)got) == got);
  return ProbeOut("", arguments, memory, 0);
}
static int ProbeByDescriptor(void) {
  char* const arguments[] = {NULL};
  return ProbeOut("", arguments, (int)Open(own_path, O_PATH), 0);
}
static int ProbeByOwnCode(void) {
  char* const arguments[] = {(char*)own_path, NULL};
  return ProbeOut(own_path, arguments, -1, 1);
}
static int ProbeUnreadable(void) {
  char* const arguments[] = {(char*)own_path, NULL};
  const char* const name = Text("%s/program", Scratch());
  return CopyOfSelf(name, 0111) && ProbeOut(name, arguments, -1, 0);
}
static int ProbeByScript(void) {
  const char *const scratch = Scratch(), *const name = Text("%s/script", scratch);
  char* const arguments[] = {(char*)name, NULL};
  FILE* const script = fopen(name, "w");
  // The path of an interpreter has no space in it.
  CHECK(symlink(own_path, Text("%s/self", scratch)) == 0);
  CHECK(script != NULL && fprintf(script, "#!%s/self\n", scratch) > 0 && fclose(script) == 0 && chmod(name, 0700) == 0);
  return ProbeOut(name, arguments, -1, 0);
}
static void* ExecutesSelf(void* arguments) {
  setenv("STRANGER_PROBE", "1", 1);
  DO3(SYS_execve, own_path, arguments, environ);
  _exit(0);
}
static int ProbeByThread(void) {
  char* arguments[] = {(char*)own_path, NULL};
  pthread_t thread;
  const pid_t kid = Kid();
  if (kid == 0) _exit(pthread_create(&thread, NULL, ExecutesSelf, arguments) == 0 && pause());
  return KidIsOut(kid);
}
// What a program of the host's prints, if it starts with the secret's byte.
static int Prints(const char* path, char* const argv[]) {
  int ends[2];
  char byte = 0;
  CHECK(pipe(ends) == 0);
  const pid_t kid = Kid();
  if (kid == 0) {
    CHECK(dup2(ends[1], 1) == 1);
    dup2(open("/dev/null", O_WRONLY), 2);
    DO3(SYS_execve, path, argv, environ);
    _exit(0);
  }
  close(ends[1]);
  const int out = read(ends[0], &byte, 1) == 1 && byte == 's';
  ExitOf(kid);
  return out;
}
static int SecretByLoader(void) {
  char* const arguments[] = {"ld.so", "/bin/cat", (char*)Secret(), NULL};
  return Prints("/lib64/ld-linux-x86-64.so.2", arguments);
}
static int SecretByShell(void) {
  char* const arguments[] = {"sh", "-c", "read -r line < \"$SECRET\"; printf %s \"$line\"", NULL};
  return Prints("/bin/sh", arguments);
}
// --- i386
// 32-bit code that opens a file for writing and writes to it, if both are allowed.
static size_t Code32(unsigned char* code, uint32_t at, const char* path) {
  static const unsigned char kCode[] =
      "\xb8\5\0\0\0\xbb....\xb9\1\0\0\0\xcd\x80\x85\xc0\x78\x1f\x89\xc3\xb8\4\0\0\0"
      "\xb9....\xba\7\0\0\0\xcd\x80\x83\xf8\7\x75\7\xbb\x2a\0\0\0\xeb\5"
      "\xbb\0\0\0\0\xb8\1\0\0\0\xcd\x80\xf4";
  const uint32_t text = at + sizeof(kCode);
  memcpy(code, kCode, sizeof(kCode));
  memcpy(code + 6, &text, 4);
  memcpy(code + 29, &text, 4);
  strcpy((char*)code + sizeof(kCode), path);
  return sizeof(kCode) + strlen(path) + 1;
}
static int VictimByOldProgram(void) {
  unsigned char file[8192] = {0};
  const uint32_t base = 0x8048000, start = sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr);
  const uint32_t size = start + (uint32_t)Code32(file + start, base + start, Victim());
  const Elf32_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                             .e_type = ET_EXEC,
                             .e_machine = EM_386,
                             .e_version = 1,
                             .e_entry = base + start,
                             .e_phoff = sizeof(header),
                             .e_ehsize = sizeof(header),
                             .e_phentsize = sizeof(Elf32_Phdr),
                             .e_phnum = 1};
  const Elf32_Phdr segment = {PT_LOAD, 0, base, base, size, size, PF_R | PF_X, 4096};
  memcpy(file, &header, sizeof(header));
  memcpy(file + sizeof(header), &segment, sizeof(segment));
  const char* const name = Text("%s/program", Scratch());
  const int fd = open(name, O_CREAT | O_WRONLY, 0700);
  CHECK(fd >= 0 && write(fd, file, size) == (ssize_t)size && close(fd) == 0);
  char* const arguments[] = {(char*)name, NULL};
  return ProbeOut(name, arguments, -1, 0);
}
static int VictimByOldSegment(void) {
  const pid_t kid = Kid();
  if (kid == 0) {
    unsigned char* const low =
        mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    CHECK(low != MAP_FAILED);
    Code32(low, (uint32_t)(uintptr_t)low, Victim());
    __asm__ volatile("mov %0, %%rsp\n\tpushq $0x23\n\tpush %1\n\tlretq" ::"r"(low + 65000), "r"(low) : "memory");
  }
  return KidIsOut(kid);
}
static long OldCall(long nr, long b, long c, long d) {
  long result = nr;
  __asm__ volatile("push %%rbx\n\tmov %1, %%rbx\n\tint $0x80\n\tpop %%rbx"
                   : "+a"(result)
                   : "D"(b), "c"(c), "d"(d)
                   : "memory", "r8", "r9", "r10", "r11");
  return result;
}
static int VictimByOldCall(void) {
  char* const low = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  CHECK(low != MAP_FAILED);
  strcpy(low, Victim());
  const long fd = OldCall(5, (long)low, O_WRONLY, 0);
  return fd >= 0 && OldCall(4, fd, (long)low, 7) == 7;
}
static int OldForbiddenCalls(void) {
  return OldCall(359, AF_ALG, SOCK_SEQPACKET, 0) >= 0 || OldCall(359, AF_VSOCK, SOCK_STREAM, 0) >= 0 ||
         OldCall(310, CLONE_NEWUSER, 0, 0) == 0 || OldCall(26, 0, 0, 0) == 0;
}

const struct Way kSystemWays[] = {WAY(FanotifyOfContent, ROOT),
                                  WAY(FanotifyOfFileSystem, ROOT),
                                  WAY(FaultsByDevice, ROOT "; userfaultfd"),
                                  WAY(RareDevices),
                                  WAY(KernelLog, "kernel log"),
                                  WAY(KernelLogWithHighHalf, "kernel log"),
                                  WAY(KernelMemory, ROOT),
                                  WAY(KernelTables, ROOT),
                                  WAY(RingCalls, "io_uring"),
                                  WAY(KeyRings, "key rings"),
                                  WAY(KeyRequest, "key rings"),
                                  WAY(KeysListed, "key rings"),
                                  WAY(BpfWithHighHalf, "bpf"),
                                  WAY(BpfObject, ROOT "; bpf"),
                                  WAY(PerfOfOutside, "perf events"),
                                  WAY(PerfOfMachine, ROOT "; perf events"),
                                  WAY(LocalDescriptors, "modify_ldt"),
                                  WAY(RealTime, ROOT),
                                  WAY(MoreNice, ROOT),
                                  WAY(ClockOfHost, ROOT),
                                  WAY(TimeZoneOfHost, ROOT),
                                  WAY(TicksOfHost, ROOT),
                                  WAY(DomainOfHost, ROOT),
                                  WAY(WritableProc),
                                  WAY(WritableSys, ROOT),
                                  WAY(WritableGroups, ROOT "; cgroups"),
                                  WAY(NewGroup, ROOT "; cgroups"),
                                  WAY(SettingsByOtherNames, ROOT),
                                  WAY(AmbientCapability, ROOT),
                                  WAY(AnyCapability, ROOT),
                                  WAY(BitsUnlocked, ROOT),
                                  WAY(OtherIds, ROOT),
                                  WAY(CapabilitiesOfFile, ROOT),
                                  WAY(CapabilitiesOfRoot, ROOT),
                                  WAY(CapabilitiesBySetUid, ROOT),
                                  WAY(SetUidProgram, "set-uid programs"),
                                  WAY(ProbeByMemory),
                                  WAY(ProbeByDescriptor),
                                  WAY(ProbeByOwnCode),
                                  WAY(ProbeUnreadable),
                                  WAY(ProbeByScript),
                                  WAY(ProbeByThread),
                                  WAY(SecretByLoader),
                                  WAY(SecretByShell),
                                  WAY(VictimByOldProgram, "32-bit calls"),
                                  WAY(VictimByOldSegment, "32-bit calls"),
                                  WAY(VictimByOldCall, "32-bit calls"),
                                  WAY(OldForbiddenCalls, "32-bit calls"),
                                  {NULL, NULL, NULL}};
