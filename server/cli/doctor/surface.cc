// What a program that is not confined reaches here: what a sandbox has to close.
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/cli/doctor/probe.h"
#include "server/cli/doctor/probes.h"
#include "server/reactor/owned_fd.h"
#include "server/reactor/pidfd.h"

namespace guise::server {
namespace {

// ABI: include/uapi/asm-generic/unistd.h
constexpr long kFchmodat2 = 452;     // NOLINT(google-runtime-int): syscall's type; Linux 6.6
constexpr long kSetxattrat = 463;    // NOLINT(google-runtime-int): Linux 6.13
constexpr long kOpenTreeAttr = 467;  // NOLINT(google-runtime-int): Linux 6.15
constexpr long kFileSetattr = 469;   // NOLINT(google-runtime-int): Linux 6.17
// ABI: include/uapi/linux/fcntl.h
constexpr int kPidfsRoot = -10002;
constexpr int kNsfsRoot = -10003;
constexpr long kX32 = 0x40000000;  // NOLINT(google-runtime-int): __X32_SYSCALL_BIT
constexpr int kSchedCore = 62;     // PR_SCHED_CORE

// -1, as syscall(2) says it, is the error.
int ErrorOf(int64_t result) { return result >= 0 ? 0 : errno; }

int Opens(const char* path, int flags) {
  const OwnedFd file(open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  return file ? 0 : errno;
}

int IsRoot() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) return errno;
  constexpr int kAll[] = {CAP_CHOWN,     CAP_DAC_READ_SEARCH, CAP_MKNOD,    CAP_NET_ADMIN, CAP_NET_RAW, CAP_SETUID,
                          CAP_SYS_ADMIN, CAP_SYS_BOOT,        CAP_SYS_NICE, CAP_SYS_TIME,  CAP_SYSLOG,  CAP_SYS_PTRACE};
  for (const int capability : kAll) {
    if ((data[capability / 32].effective & (1u << (capability % 32))) == 0) return EPERM;
  }
  // In a user namespace they are of that namespace only.
  std::ifstream map("/proc/self/uid_map");
  uint64_t inside = 0;
  uint64_t outside = 0;
  uint64_t count = 0;
  map >> inside >> outside >> count;
  return geteuid() == 0 && outside == 0 && count == UINT32_MAX ? 0 : EPERM;
}

int SetUidPrograms() {
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return EPERM;
  struct stat status = {};
  struct statvfs mount = {};
  if (stat("/usr/bin/su", &status) != 0 || statvfs("/usr/bin/su", &mount) != 0) return errno;
  return (status.st_mode & S_ISUID) != 0 && (mount.f_flag & ST_NOSUID) == 0 ? 0 : EPERM;
}

int SystemVIpc() {
  const int memory = shmget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
  return memory < 0 ? errno : ErrorOf(shmctl(memory, IPC_RMID, nullptr));
}

int MessageQueues() {
  const std::string name = absl::StrCat("/guise-probe-", getpid());
  const OwnedFd queue(mq_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, nullptr));
  return queue ? ErrorOf(mq_unlink(name.c_str())) : errno;
}

int Calls32() {
  // i386's getpid. The kernel clobbers r8 to r11 in some versions.
  int64_t result = 20;
  // SAFETY: the call has no arguments and touches no memory.
  __asm__ volatile("int $0x80" : "+a"(result)::"memory", "r8", "r9", "r10", "r11");
  return result == getpid() ? 0 : ENOSYS;
}

int CallsX32() { return ErrorOf(syscall(SYS_getpid | kX32)); }

int TypesIntoTerminal() {
  const OwnedFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master || grantpt(master.get()) != 0 || unlockpt(master.get()) != 0) return errno;
  setsid();
  signal(SIGHUP, SIG_IGN);  // the end of its terminal
  const OwnedFd terminal(open(ptsname(master.get()), O_RDWR | O_CLOEXEC));
  if (!terminal) return errno;
  ioctl(terminal.get(), TIOCSCTTY, 0);
  return ErrorOf(ioctl(terminal.get(), TIOCSTI, "x"));
}

int Bpf() {
  bpf_attr map = {};
  map.map_type = BPF_MAP_TYPE_ARRAY;
  map.key_size = 4;
  map.value_size = 4;
  map.max_entries = 1;
  return ErrorOf(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
}

int PerfEvents() {
  perf_event_attr event = {};
  event.type = PERF_TYPE_SOFTWARE;
  event.size = sizeof(event);
  event.exclude_kernel = 1;
  event.exclude_hv = 1;
  return ErrorOf(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}

int Userfaultfd() {
  constexpr int kUserModeOnly = 1;
  return ErrorOf(syscall(SYS_userfaultfd, kUserModeOnly));
}

int KernelMemory() { return Opens("/proc/kcore", O_RDONLY) == 0 ? 0 : Opens("/dev/mem", O_RDONLY); }

int KernelLog() {
  char text[64];
  return ErrorOf(klogctl(3, text, sizeof(text)));  // read all
}

int KernelModules() {
  std::ifstream disabled("/proc/sys/kernel/modules_disabled");
  int value = 1;
  if (!(disabled >> value)) return ENOSYS;
  return value == 0 ? 0 : EPERM;
}

int Cgroups() {
  for (const char* const place : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids", "/sys/fs/cgroup"}) {
    if (access(place, W_OK) == 0) return 0;
  }
  return errno;
}

int RawDisks() {
  std::ifstream partitions("/proc/partitions");
  std::string line;
  std::getline(partitions, line);
  int error = ENODEV;
  while (std::getline(partitions, line)) {
    std::string major, minor, blocks, name;
    if (!(std::istringstream(line) >> major >> minor >> blocks >> name)) continue;
    error = Opens(absl::StrCat("/dev/", name).c_str(), O_RDONLY);
    if (error == 0) break;
  }
  return error;
}

// A file without a name in the working directory.
OwnedFd ProbeFile() { return OwnedFd(open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)); }

int NamelessFile() {
  const OwnedFd file = ProbeFile();
  return file ? 0 : errno;
}

int UserAttributes() {
  const OwnedFd file = ProbeFile();
  return file ? ErrorOf(fsetxattr(file.get(), "user.guise-probe", "x", 1, 0)) : errno;
}

int FileVersion() {
  const OwnedFd file = ProbeFile();
  int version = 0;
  if (!file || ioctl(file.get(), FS_IOC_GETVERSION, &version) != 0) return errno;
  return ErrorOf(ioctl(file.get(), FS_IOC_SETVERSION, &version));
}

int FileFlags() {
  const OwnedFd file = ProbeFile();
  int flags = 0;
  if (!file || ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) return errno;
  flags |= FS_NODUMP_FL;
  return ErrorOf(ioctl(file.get(), FS_IOC_SETFLAGS, &flags));
}

int ExtendedFlags() {
  const OwnedFd file = ProbeFile();
  fsxattr flags = {};
  if (!file || ioctl(file.get(), FS_IOC_FSGETXATTR, &flags) != 0) return errno;
  flags.fsx_xflags |= FS_XFLAG_NODUMP;
  return ErrorOf(ioctl(file.get(), FS_IOC_FSSETXATTR, &flags));
}

int FileSetattr() {
  struct {
    uint64_t xflags = FS_XFLAG_NODUMP;
    uint32_t rest[4] = {};
  } attributes;
  const OwnedFd file = ProbeFile();
  if (!file) return errno;
  return ErrorOf(syscall(kFileSetattr, file.get(), "", &attributes, sizeof(attributes), AT_EMPTY_PATH));
}

int Setxattrat() {
  struct {
    uint64_t value;
    uint32_t size, flags;
  } arguments = {reinterpret_cast<uintptr_t>("x"), 1, 0};
  const OwnedFd file = ProbeFile();
  if (!file) return errno;
  return ErrorOf(
      syscall(kSetxattrat, file.get(), "", AT_EMPTY_PATH, "user.guise-probe", &arguments, sizeof(arguments)));
}

int Fchmodat2() {
  const OwnedFd file = ProbeFile();
  return file ? ErrorOf(syscall(kFchmodat2, file.get(), "", 0600, AT_EMPTY_PATH)) : errno;
}

int OpenTreeAttr() {
  syscall(kOpenTreeAttr, -1, "", 0, nullptr, 0);
  return errno == ENOSYS ? ENOSYS : 0;
}

// Opens again by its handle what `file` is.
int ByHandle(int file, int root) {
  struct {
    file_handle head;
    unsigned char bytes[64];
  } handle = {};
  handle.head.handle_bytes = sizeof(handle.bytes);
  int mount = 0;
  if (name_to_handle_at(file, "", &handle.head, &mount, AT_EMPTY_PATH) != 0) return errno;
  const OwnedFd opened(open_by_handle_at(root, &handle.head, O_RDONLY | O_CLOEXEC));
  return opened ? 0 : errno;
}

int NamespaceHandles() {
  const OwnedFd own(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  return own ? ByHandle(own.get(), kNsfsRoot) : errno;
}

int ProcessHandles() {
  const OwnedFd own = OpenPidfd(getpid());
  return own ? ByHandle(own.get(), kPidfsRoot) : errno;
}

template <int kFamily, int kType, int kProtocol = 0>
int Socket() {
  const OwnedFd made(socket(kFamily, kType | SOCK_CLOEXEC, kProtocol));
  return made ? 0 : errno;
}

struct Thing {
  const char* name;
  const char* state;
  int (*attempt)();  // 0 or an errno
};

// tests/sandbox names them as what its attempts need.
constexpr Thing kThings[] = {
    {"root's privileges", "held", IsRoot},
    {"set-uid programs", "/usr/bin/su gains root's", SetUidPrograms},
    {"System V IPC", "memory was made", SystemVIpc},
    {"message queues", "one was made", MessageQueues},
    {"TIOCSTI", "a terminal was typed into", TypesIntoTerminal},
    {"32-bit calls", "int 0x80 is one", Calls32},
    {"x32 calls", "made", CallsX32},
    {"modify_ldt", "known", [] { return ErrorOf(syscall(SYS_modify_ldt, 0, nullptr, 0)); }},
    {"key rings", "there is one", [] { return ErrorOf(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -2, 1)); }},
    {"bpf", "a map was made", Bpf},
    {"perf events", "one was made", PerfEvents},
    {"userfaultfd", "made", Userfaultfd},
    {"core scheduling", "known",
     [] {
       uint64_t cookie = 0;
       return ErrorOf(prctl(kSchedCore, 0, 0, 0, &cookie));
     }},
    {"crypto sockets (AF_ALG)", "made", Socket<AF_ALG, SOCK_SEQPACKET>},
    {"vsock", "a socket was made", Socket<AF_VSOCK, SOCK_STREAM>},
    {"IPv6", "a socket was made", Socket<AF_INET6, SOCK_STREAM>},
    {"MPTCP", "a socket was made", Socket<AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */>},
    {"tunnels", "/dev/net/tun was opened", [] { return Opens("/dev/net/tun", O_RDWR); }},
    {"raw disks", "one was opened for reading", RawDisks},
    {"kernel memory", "opened for reading", KernelMemory},
    {"kernel log", "read", KernelLog},
    {"kernel modules", "taken", KernelModules},
    {"sysrq", "/proc/sysrq-trigger is writable", [] { return ErrorOf(access("/proc/sysrq-trigger", W_OK)); }},
    {"cgroups", "can be made", Cgroups},
    {"handles of namespaces", "one was opened", NamespaceHandles},
    {"handles of processes", "one was opened", ProcessHandles},
    {"open_tree_attr", "known", OpenTreeAttr},
    {"nameless files, working directory", "one was made", NamelessFile},
    {"fchmodat2, working directory", "a mode was set", Fchmodat2},
    {"user attributes, working directory", "one was set", UserAttributes},
    {"setxattrat, working directory", "an attribute was set", Setxattrat},
    {"file versions, working directory", "one was set", FileVersion},
    {"file flags, working directory", "one was set", FileFlags},
    {"extended flags, working directory", "one was set", ExtendedFlags},
    {"file_setattr, working directory", "a flag was set", FileSetattr},
};

}  // namespace

std::vector<Finding> ProbeSurface() {
  std::vector<Finding> findings;
  for (const Thing& thing : kThings) {
    findings.push_back(FindingOf(thing.name, TryInChild(thing.attempt), thing.state, Severity::kUnneeded, ""));
  }
  return findings;
}

}  // namespace guise::server
