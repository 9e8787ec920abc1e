// Tries to get out of a sandbox, in the ways that are named (none: all; --list: says what there is, and needs): for
// each, "NAME held" or "NAME out". The test looks outside as well. Harmless natively, for root in namespaces of mounts,
// processes and host names, with a /dev/null of its own (native_test.cc). By the environment:
//   SECRET   a file that the policy hides      VICTIM  a file that it makes read-only
//   HIDDEN   a directory that it hides         OUTSIDE the pid of a process outside
//   PORT     of a listener on the host's loopback       PIPE    one with a name, of which others hold both ends
//   GADGET=1 calls are made by an instruction of the shim that dispatch lets through: as if there were no shim
#include <arpa/inet.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>

#include "tests/sandbox/attempts.h"

unsigned char* gadget;
char scratch_root[4096];

static int Reads(long fd) {
  char byte;
  return fd >= 0 && DO3(SYS_read, fd, &byte, 1) == 1;
}
static int Writes(long fd) { return fd >= 0 && DO3(SYS_write, fd, "escaped", 7) == 7; }
static long Open(const char* path, int flags) { return DO4(SYS_openat, AT_FDCWD, path, flags, 0600); }

// --- files
static int ReadSecret(void) { return Reads(Open(Env("SECRET"), O_RDONLY)); }
static int WriteVictim(void) { return Writes(Open(Env("VICTIM"), O_WRONLY)); }
static int TruncateVictim(void) { return DO2(SYS_truncate, Env("VICTIM"), 0) == 0; }
static int UnlinkVictim(void) { return DO3(SYS_unlinkat, AT_FDCWD, Env("VICTIM"), 0) == 0; }
static int RenameVictim(void) {
  return DO5(SYS_renameat2, AT_FDCWD, Env("VICTIM"), AT_FDCWD, Text("%s/victim", Scratch()), 0) == 0 ||
         DO5(SYS_renameat2, AT_FDCWD, Env("VICTIM"), AT_FDCWD, Text("%s.moved", Env("VICTIM")), 0) == 0;
}
static int ChmodVictim(void) { return DO3(SYS_fchmodat, AT_FDCWD, Env("VICTIM"), 0666) == 0; }
static int TouchVictim(void) { return DO4(SYS_utimensat, AT_FDCWD, Env("VICTIM"), 0, 0) == 0; }
static int LinkVictim(void) {
  return DO5(SYS_linkat, AT_FDCWD, Env("VICTIM"), AT_FDCWD, Text("%s/link", Scratch()), 0) == 0 ||
         DO5(SYS_linkat, AT_FDCWD, Env("VICTIM"), AT_FDCWD, Text("%s.link", Env("VICTIM")), 0) == 0;
}
static int SecretByLink(void) {
  const char* const link = Text("%s/link", Scratch());
  DO3(SYS_symlinkat, Env("SECRET"), AT_FDCWD, link);
  return Reads(Open(link, O_RDONLY));
}
static int SecretByDots(void) {
  char path[512];
  snprintf(path, sizeof(path), "/proc/self/root/../../../..%s", Env("SECRET"));
  return Reads(Open(path, O_RDONLY));
}
static int SecretByInit(void) {
  char path[512];
  snprintf(path, sizeof(path), "/proc/1/root%s", Env("SECRET"));
  return Reads(Open(path, O_RDONLY)) || Reads(Open("/proc/1/environ", O_RDONLY)) || Open("/proc/1/mem", O_RDWR) >= 0;
}
static int SecretByDescriptorsOfInit(void) {
  for (int fd = 0; fd < 300; ++fd) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/1/fd/%d", fd);
    if (Open(path, O_RDONLY | O_NONBLOCK) >= 0) return 1;
  }
  return 0;
}
static int ListHidden(void) {
  char entries[4096];
  const long fd = Open(Env("HIDDEN"), O_RDONLY | O_DIRECTORY);
  return fd >= 0 && DO3(SYS_getdents64, fd, entries, sizeof(entries)) > 2 * 24;
}
static int WriteHidden(void) {
  char path[512];
  snprintf(path, sizeof(path), "%s/new", Env("HIDDEN"));
  return Open(path, O_WRONLY | O_CREAT) >= 0;
}
static int ReopenInput(void) { return Writes(Open("/proc/self/fd/0", O_WRONLY)); }
static int TruncateInput(void) { return DO2(SYS_truncate, "/proc/self/fd/0", 0) == 0; }
static int TruncateInputOpening(void) {
  struct open_how how = {.flags = O_RDONLY | O_TRUNC};
  return Open("/proc/self/fd/0", O_RDONLY | O_TRUNC) >= 0 || Open("/proc/self/fd/0", O_ACCMODE | O_TRUNC) >= 0 ||
         DO2(SYS_open, "/dev/stdin", O_RDONLY | O_TRUNC) >= 0 || DO2(SYS_creat, "/proc/self/fd/0", 0600) >= 0 ||
         DO4(SYS_openat2, AT_FDCWD, "/proc/self/fd/0", &how, sizeof(how)) >= 0;
}
// By which a server of files knows that a name is another file's now; either call changes it.
static int InputVersion(void) {
  int before = 0, after = 0;
  if (DO3(SYS_ioctl, 0, FS_IOC_GETVERSION, &before) != 0) return 0;
  const int changed = before ^ 1;
  DO3(SYS_ioctl, 0, FS_IOC_SETVERSION, &changed);
  DO3(SYS_ioctl, 0, _IOW('f', 4, long), &changed);
  return DO3(SYS_ioctl, 0, FS_IOC_GETVERSION, &after) == 0 && after != before;
}
// What lies beside descriptor 0, whose name is told.
static int InputParent(void) {
  char path[4096] = "";
  if (DO3(SYS_readlink, "/proc/self/fd/0", path, sizeof(path) - 1) <= 0 || path[0] != '/') return 0;
  *strrchr(path, '/') = 0;
  return Reads(Open(Text("%s/hidden/secret", path), O_RDONLY));
}
static int InheritedDescriptor(void) {
  for (int fd = 3; fd < 1024; ++fd) {
    if (DO2(SYS_fcntl, fd, F_GETFD) >= 0 && getenv("GADGET") == NULL) return 1;
  }
  return 0;
}
static int OpensByHandle(const char* path, const char* directory) {
  struct {
    unsigned size;
    int type;
    char bytes[128];
  } handle = {.size = 128};
  int mount;
  if (DO5(SYS_name_to_handle_at, AT_FDCWD, path, &handle, &mount, 0) != 0) return 0;
  return DO3(SYS_open_by_handle_at, Open(directory, O_RDONLY | O_DIRECTORY), &handle, O_RDWR) >= 0;
}
static int Handle(void) { return OpensByHandle("/etc/passwd", "/etc") || OpensByHandle(Env("VICTIM"), "."); }
// A pipe that two programs outside have between them. That a mount is read-only says nothing of it.
static int PipeTaken(void) { return Reads(Open(Env("PIPE"), O_RDONLY | O_NONBLOCK)); }
static int PipeWritten(void) { return Writes(Open(Env("PIPE"), O_WRONLY | O_NONBLOCK)); }
// --- mounts
static int Unmount(void) { return DO2(SYS_umount2, Env("HIDDEN"), MNT_DETACH) == 0 && ReadSecret(); }
static int Mount(void) { return DO5(SYS_mount, "tmpfs", "/mnt", "tmpfs", 0, 0) == 0; }
static int Remount(void) { return DO5(SYS_mount, "", "/", "", MS_REMOUNT | MS_BIND, 0) == 0; }
static int Chroot(void) { return DO1(SYS_chroot, "/tmp") == 0; }
static int Pivot(void) {
  const char* const scratch = Scratch();
  DO1(SYS_unshare, CLONE_NEWNS);
  DO5(SYS_mount, scratch, scratch, "", MS_BIND, 0);
  return chdir(scratch) == 0 && DO2(SYS_pivot_root, ".", ".") == 0;
}
static int OpenTree(void) { return DO3(SYS_open_tree, AT_FDCWD, "/", 1) >= 0; }
static int NewMount(void) { return DO2(SYS_fsopen, "tmpfs", 0) >= 0; }
static int Device(void) {
  const char* const disk = Text("%s/disk", Scratch());
  return DO4(SYS_mknodat, AT_FDCWD, disk, S_IFBLK | 0600, Disk()) == 0 && Open(disk, O_RDONLY) >= 0;
}
static int Memory(void) { return Open("/dev/mem", O_RDWR) >= 0 || Open("/proc/kcore", O_RDONLY) >= 0; }
// --- namespaces and privileges
static int UserNamespace(void) { return DO1(SYS_unshare, CLONE_NEWUSER) == 0; }
static int CloneNamespace(void) {
  const long child = DO5(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return child > 0;
}
static int Clone3(void) {
  unsigned long args[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
  const long child = DO2(SYS_clone3, args, sizeof(args));
  if (child == 0) _exit(0);
  return child > 0;
}
static int JoinNamespace(void) {
  const long fd = Open("/proc/1/ns/mnt", O_RDONLY);
  return fd >= 0 && DO2(SYS_setns, fd, 0) == 0;
}
static int Capabilities(void) { return prctl(PR_CAPBSET_READ, 21, 0, 0, 0) != 0; }
// Root becomes another, by which it shows the same privilege.
static int BecomeRoot(void) {
  const int id = getuid() == 0 ? 65534 : 0;
  return DO3(SYS_setresuid, id, id, id) == 0;
}
static int Hostname(void) { return DO2(SYS_sethostname, "escaped", 7) == 0; }
static int Sysctl(void) {
  return Writes(Open("/proc/sys/kernel/hostname", O_WRONLY)) || Writes(Open("/proc/sys/vm/swappiness", O_WRONLY));
}
static int SysRq(void) { return Open("/proc/sysrq-trigger", O_WRONLY) >= 0; }
static int Cgroup(void) {
  const char* const places[] = {"/sys/fs/cgroup/escaped", "/sys/fs/cgroup/unified/escaped",
                                "/sys/fs/cgroup/pids/escaped"};
  for (int i = 0; i < 3; ++i) {
    if (DO3(SYS_mkdirat, AT_FDCWD, places[i], 0755) == 0) return rmdir(places[i]) == 0;
  }
  return 0;
}
static int Module(void) { return !IsRefused(DO3(SYS_init_module, "", 0, "")); }
static int Reboot(void) { return DO4(SYS_reboot, 1, 2, 3, 0) != -EPERM; }
// --- processes
static int KillOutside(void) { return DO2(SYS_kill, atoi(Env("OUTSIDE")), 0) == 0; }
static int SeeOutside(void) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%s/cmdline", Env("OUTSIDE"));
  return Open(path, O_RDONLY) >= 0;
}
static int KillEverybody(void) { return DO2(SYS_kill, -1, 0) == 0 && DO2(SYS_kill, atoi(Env("OUTSIDE")), 0) == 0; }
// The launcher's process group, which the session's processes are of. Who is hit says so itself.
static int KillGroup(void) {
  DO2(SYS_kill, 0, SIGUSR2);
  return 0;
}
static int NiceGroup(void) { return DO3(SYS_setpriority, 1, 0, 3) == 0; }
static int IoniceGroup(void) { return DO3(SYS_ioprio_set, 2, 0, 3 << 13) == 0; }
static int ChmodDevice(void) { return DO3(SYS_fchmodat, AT_FDCWD, "/dev/null", 0666) == 0; }
static int TouchDevice(void) { return DO4(SYS_utimensat, AT_FDCWD, "/dev/null", 0, 0) == 0; }
static int Trace(void) { return DO4(SYS_ptrace, PTRACE_SEIZE, 1, 0, 0) == 0; }
static int ReadInit(void) {
  char byte;
  struct iovec here = {&byte, 1}, there = {(void*)Call, 1};
  const long result = DO6(SYS_process_vm_readv, 1, &here, 1, &there, 1, 0);
  // It might have been read, had there been anything.
  return result > 0 || result == -EFAULT;
}
static int StealDescriptor(void) {
  const long init = DO2(SYS_pidfd_open, 1, 0);
  return init >= 0 && DO3(SYS_pidfd_getfd, init, 0, 0) >= 0;
}
// Descriptor 0 is no terminal, but the filter does not look. Strangers do it to one.
static int Type(void) { return DO3(SYS_ioctl, 0, TIOCSTI, "x") != -EPERM; }
static int TypeHigh(void) { return DO3(SYS_ioctl, 0, 0xffffffff00000000ul | TIOCSTI, "x") != -EPERM; }
static int Paste(void) { return DO3(SYS_ioctl, 0, TIOCLINUX, "\3") != -EPERM; }
// --- network
static int Connect(void) {
  const long fd = DO3(SYS_socket, AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(Env("PORT")))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return fd >= 0 && DO3(SYS_connect, fd, &to, sizeof(to)) == 0;
}
static int ConnectAbstract(void) {
  const long fd = DO3(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  const int length = snprintf(to.sun_path + 1, sizeof(to.sun_path) - 1, "guise-test-%s", Env("PORT"));
  return DO3(SYS_connect, fd, &to, offsetof(struct sockaddr_un, sun_path) + 1 + length) == 0;
}
static int RawSocket(void) { return DO3(SYS_socket, AF_INET, SOCK_RAW, 255) >= 0; }
static int Packet(void) { return DO3(SYS_socket, AF_PACKET, SOCK_RAW, 0) >= 0; }
static int Vsock(void) { return DO3(SYS_socket, AF_VSOCK, SOCK_STREAM, 0) >= 0; }
// Pairs need no address: a family's code is met nevertheless, which then refuses.
static int PairOfRareSockets(void) {
  int pair[2];
  return DO4(SYS_socketpair, AF_VSOCK, SOCK_DGRAM, 0, pair) != -EAFNOSUPPORT ||
         DO4(SYS_socketpair, 1L << 32 | AF_VSOCK, SOCK_DGRAM, 0, pair) != -EAFNOSUPPORT;
}
static int CryptoSocket(void) { return DO3(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0) >= 0; }
// --- the kernel's surface
static int Bpf(void) {
  const unsigned map[16] = {2 /* array */, 4, 4, 1};
  return !IsRefused(DO3(SYS_bpf, 0, map, sizeof(map)));
}
static int Perf(void) {
  const unsigned event[32] = {1 /* software */, sizeof(event), [10] = 0x60 /* neither kernel nor hypervisor */};
  return !IsRefused(DO5(SYS_perf_event_open, event, 0, -1, -1, 0));
}
static int Userfault(void) {
  return DO1(SYS_userfaultfd, 0) >= 0 || DO1(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */) >= 0;
}
static int Uring(void) {
  struct io_uring_params params = {0};
  return DO2(SYS_io_uring_setup, 4, &params) >= 0;
}
static int Keys(void) { return DO5(SYS_add_key, "user", "k", "v", 1, -3) >= 0; }
static int X32(void) { return DO0(SYS_getpid | 0x40000000) != -ENOSYS; }
static int Int80(void) {
  if (!HasInt80()) return 0;
  long result = 21;  // mount
  __asm__ volatile("int $0x80" : "+a"(result) : "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
  return result != -ENOSYS;
}
static int SetUser(void) { return SetUidProgramGains(); }
// --- controls: what has to go on working
static int ControlFiles(void) {
  const long fd = Open(Text("%s/mine", Scratch()), O_RDWR | O_CREAT);
  return Writes(fd) && DO3(SYS_lseek, fd, 0, SEEK_SET) == 0 && Reads(fd) && Reads(Open("/etc/passwd", O_RDONLY)) &&
         Writes(Open("/dev/null", O_WRONLY)) && Reads(Open("/dev/urandom", O_RDONLY)) &&
         Reads(Open(Env("VICTIM"), O_RDONLY));
}
static int ControlProcesses(void) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/true", "true", NULL);
    _exit(1);
  }
  return ExitOf(child) == 0;
}
static int ControlShared(void) {
  const char* const name = Text("/dev/shm/mine-%d", getpid());
  return Open(name, O_RDWR | O_CREAT) >= 0 && unlink(name) == 0 && Open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0;
}
static int ControlSockets(void) {
  int pair[2];
  return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && Writes(pair[0]) && Reads(pair[1]);
}

static const struct Way kWays[] = {
    WAY(ReadSecret),
    WAY(WriteVictim),
    WAY(TruncateVictim),
    WAY(UnlinkVictim),
    WAY(RenameVictim),
    WAY(ChmodVictim),
    WAY(TouchVictim),
    WAY(LinkVictim),
    WAY(SecretByLink),
    WAY(SecretByDots),
    WAY(SecretByInit, ROOT),
    WAY(SecretByDescriptorsOfInit, ROOT),
    WAY(ListHidden),
    WAY(WriteHidden),
    WAY(ReopenInput),
    WAY(TruncateInput),
    WAY(TruncateInputOpening),
    WAY(InputVersion, OF_FILES("file versions")),
    WAY(InputParent),
    WAY(InheritedDescriptor),
    WAY(Handle, ROOT),
    WAY(PipeTaken),
    WAY(PipeWritten),
    WAY(Unmount, ROOT "; a cover"),
    WAY(Mount, ROOT),
    WAY(Remount, ROOT),
    WAY(Chroot, ROOT),
    WAY(Pivot, ROOT),
    WAY(OpenTree, ROOT),
    WAY(NewMount, ROOT),
    WAY(Device, ROOT "; raw disks"),
    WAY(Memory, "kernel memory"),
    WAY(UserNamespace, "user namespaces"),
    WAY(CloneNamespace, "user namespaces"),
    WAY(Clone3, "user namespaces"),
    WAY(JoinNamespace, ROOT),
    WAY(Capabilities),
    WAY(BecomeRoot, ROOT),
    WAY(Hostname, ROOT),
    WAY(Sysctl, ROOT),
    WAY(SysRq, ROOT "; sysrq"),
    WAY(Cgroup, ROOT "; cgroups"),
    WAY(Module, ROOT "; kernel modules"),
    WAY(Reboot, ROOT),
    WAY(KillOutside),
    WAY(SeeOutside),
    WAY(KillEverybody),
    WAY(Trace, ROOT),
    WAY(KillGroup),
    WAY(NiceGroup),
    WAY(IoniceGroup),
    WAY(ChmodDevice, ROOT),
    WAY(TouchDevice),
    WAY(ReadInit, ROOT),
    WAY(StealDescriptor, ROOT),
    WAY(Type),
    WAY(TypeHigh),
    WAY(Paste),
    WAY(Connect),
    WAY(ConnectAbstract),
    WAY(RawSocket, ROOT),
    WAY(Packet, ROOT),
    WAY(Vsock, "vsock"),
    WAY(PairOfRareSockets, "vsock"),
    WAY(CryptoSocket, "crypto sockets (AF_ALG)"),
    WAY(Bpf, "bpf"),
    WAY(Perf, "perf events"),
    WAY(Userfault, "userfaultfd"),
    WAY(Uring, "io_uring"),
    WAY(Keys, "key rings"),
    WAY(X32, "x32 calls"),
    WAY(Int80, "32-bit calls"),
    WAY(SetUser, "set-uid programs"),
    WAY(ControlFiles),
    WAY(ControlProcesses),
    WAY(ControlShared),
    WAY(ControlSockets),
    {NULL, NULL, NULL},
};

int main(int argc, char** argv) {
  if (getenv("GADGET") != NULL) {
    gadget = FindGadget();
    CHECK(gadget != NULL);
  }
  signal(SIGUSR2, SIG_IGN);
  const struct Way* const groups[] = {kWays, NULL};
  return TryAll(groups, argc, argv, "broken");
}
