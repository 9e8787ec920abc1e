// Attempts on processes outside, on what they share, and on the network.
#include <linux/netlink.h>
#include <net/if.h>
#include <pty.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <termios.h>

#include "tests/sandbox/strangers/strangers.h"

// --- processes: SIGURG and 0 harm nobody
static int SignalByDescriptor(void) {
  return DO4(SYS_pidfd_send_signal, DO2(SYS_pidfd_open, Outside(), 0), SIGURG, NULL, 0) == 0 ||
         DO4(SYS_pidfd_send_signal, Open(Text("/proc/%d", Outside()), O_RDONLY), SIGURG, NULL, 0) == 0;
}
static int SignalByThread(void) {
  return DO2(SYS_tkill, Outside(), SIGURG) == 0 || DO3(SYS_tgkill, Outside(), Outside(), SIGURG) == 0;
}
static int SignalWithValue(void) {
  siginfo_t info = {.si_code = SI_QUEUE, .si_signo = SIGURG};
  return DO3(SYS_rt_sigqueueinfo, Outside(), SIGURG, &info) == 0 ||
         DO4(SYS_rt_tgsigqueueinfo, Outside(), Outside(), SIGURG, &info) == 0;
}
static int SignalToGroup(void) {
  const long group = DO1(SYS_getpgid, Outside());
  return group > 1 && DO2(SYS_kill, -group, 0) == 0;
}
// The kernel truncates a pid to 32 bits.
static int SignalWithHighHalf(void) { return DO2(SYS_kill, Outside() | 1L << 40, SIGURG) == 0; }
static int SignalByOwner(void) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  return DO3(SYS_fcntl, ends[0], F_SETOWN, Outside()) == 0 && DO2(SYS_fcntl, ends[0], F_GETOWN) == Outside();
}
static int SignalByRequest(void) {
  const int pid = Outside();
  return DO3(SYS_ioctl, DO3(SYS_socket, AF_UNIX, SOCK_STREAM, 0), 0x8901 /* FIOSETOWN */, &pid) == 0;
}
static int ReadsMemoryOf(pid_t pid) {
  char byte, line[256] = "";
  unsigned long address = 0x400000;
  const long maps = Open(Text("/proc/%d/maps", pid), O_RDONLY);
  if (maps >= 0 && DO3(SYS_read, maps, line, 255) > 0) sscanf(line, "%lx", &address);
  const struct iovec here = {&byte, 1}, there = {(void*)address, 1};
  return DO6(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0) == 1;
}
static int MemoryOfOutside(void) { return ReadsMemoryOf(Outside()); }
static int MemoryOfInit(void) { return ReadsMemoryOf(1); }
static int MemoryFileOf(pid_t pid) {
  return Opens(Text("/proc/%d/mem", pid), O_RDONLY) || Opens(Text("/proc/%d/environ", pid), O_RDONLY) ||
         Opens(Text("/proc/%d/auxv", pid), O_RDONLY);
}
static int MemoryFileOfOutside(void) { return MemoryFileOf(Outside()); }
static int MemoryFileOfInit(void) { return MemoryFileOf(1); }
static int AdviseOutside(void) {
  char line[256] = "";
  unsigned long address = 0;
  const long maps = Open(Text("/proc/%d/maps", Outside()), O_RDONLY);
  if (maps < 0 || DO3(SYS_read, maps, line, 255) <= 0) return 0;
  sscanf(line, "%lx", &address);
  const struct iovec part = {(void*)address, 4096};
  return DO5(SYS_process_madvise, DO2(SYS_pidfd_open, Outside(), 0), &part, 1, MADV_COLD, 0) == 4096;
}
static int DescriptorOfOutside(void) {
  return DO3(SYS_pidfd_getfd, DO2(SYS_pidfd_open, Outside(), 0), 0, 0) >= 0 ||
         Open(Text("/proc/%d/fd/1", Outside()), O_PATH) >= 0;
}
static int SeizeOutside(void) { return DO4(SYS_ptrace, PTRACE_SEIZE, Outside(), 0, 0) == 0; }
static int TraceMe(void) {
  const pid_t kid = Kid();
  if (kid == 0) _exit(DO4(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0 ? kOut : 0);
  return KidIsOut(kid);
}
static int TraceWithHighHalf(void) {
  const pid_t kid = Kid();
  if (kid == 0) return pause();
  const int out = DO4(SYS_ptrace, PTRACE_SEIZE, kid | 1L << 40, 0, 0) == 0;
  kill(kid, SIGKILL);
  return out;
}
static int ComparesOutside(void) { return DO5(SYS_kcmp, getpid(), Outside(), 0, 0, 0) >= 0; }
static int LimitsOfOutside(void) {
  struct rlimit limit;
  return DO4(SYS_prlimit64, Outside(), RLIMIT_CORE, NULL, &limit) == 0 &&
         DO4(SYS_prlimit64, Outside(), RLIMIT_CORE, &limit, NULL) == 0;
}
static int ScheduleOfOutside(void) {
  const long nice = DO2(SYS_getpriority, PRIO_PROCESS, Outside());
  unsigned long mask[16];
  const long size = DO3(SYS_sched_getaffinity, Outside(), sizeof(mask), mask);
  return (nice > 0 && DO3(SYS_setpriority, PRIO_PROCESS, Outside(), 20 - nice) == 0) ||
         (size > 0 && DO3(SYS_sched_setaffinity, Outside(), size, mask) == 0);
}
static int DiskPriorityOfOutside(void) { return DO3(SYS_ioprio_set, 1, Outside(), 2 << 13 | 4) == 0; }
static int PagesOfOutside(void) {
  unsigned long node = 1;
  return DO4(SYS_migrate_pages, Outside(), 1, &node, &node) >= 0 ||
         DO6(SYS_move_pages, Outside(), 0, NULL, NULL, NULL, 0) == 0;
}
static int FutexListOfOutside(void) {
  void* head;
  size_t size;
  return DO3(SYS_get_robust_list, Outside(), &head, &size) == 0;
}
static int ClockOfOutside(void) {
  struct timespec time;
  return DO2(SYS_clock_gettime, ~(long)Outside() << 3 | 2, &time) == 0;
}
static int ScoreOfOutside(void) { return Opens(Text("/proc/%d/oom_score_adj", Outside()), O_WRONLY); }
static int ChildrenListed(void) {
  char name[64];
  for (int pid = 1; pid < 200; ++pid) {
    const long link = DO3(SYS_readlink, Text("/proc/%d/exe", pid), name, sizeof(name) - 1);
    if (link <= 0 || pid == getpid()) continue;
    name[link] = 0;
    if (strstr(name, "guised") != NULL || strstr(name, "systemd") != NULL) return 1;
  }
  return Open(Text("/proc/%d/task/%d/stat", Outside(), Outside()), O_RDONLY) >= 0;
}
static int CoreSchedulingOfOutside(void) { return DO5(SYS_prctl, 62 /* PR_SCHED_CORE */, 2, Outside(), 0, 0) == 0; }

// --- what is shared by key or name
static int SharedMemoryOfOutside(void) { return DO3(SYS_shmat, DO3(SYS_shmget, atoi(Env("PORT")), 0, 0), NULL, 0) > 0; }
static int SemaphoreOfOutside(void) { return DO3(SYS_semget, atoi(Env("PORT")), 0, 0) >= 0; }
static int MessagesOfOutside(void) { return DO2(SYS_msgget, atoi(Env("PORT")), 0) >= 0; }
static int QueueOfOutside(void) {
  return DO4(SYS_mq_open, Text("guise-test-%s", Env("PORT")), O_RDONLY, 0, NULL) >= 0 ||
         Opens(Text("/dev/mqueue/guise-test-%s", Env("PORT")), O_RDONLY);
}
static int SharedFileOfOutside(void) { return Opens(Text("/dev/shm/guise-test-%s", Env("PORT")), O_RDWR); }

// --- network
static int Finds(const char* path, const char* what) {
  static char text[1 << 20];
  size_t size = 0;
  const long fd = Open(path, O_RDONLY);
  long got;
  while (fd >= 0 && size < sizeof(text) - 1 && (got = DO3(SYS_read, fd, text + size, sizeof(text) - 1 - size)) > 0) {
    size += (size_t)got;
  }
  text[size] = 0;
  return strstr(text, what) != NULL;
}
static int SeesListener(void) { return Finds("/proc/net/tcp", Text("0100007F:%04X", atoi(Env("PORT")))); }
static int SeesAbstractSocket(void) {
  return Finds("/proc/net/unix", Text("@guise-test-%s", Env("PORT"))) ||
         Finds("/proc/1/net/unix", Text("@guise-test-%s", Env("PORT")));
}
static struct sockaddr_in Listener(in_addr_t host) {
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(Env("PORT"))), .sin_addr.s_addr = htonl(host)};
  return address;
}
static int Connects(long fd, const struct sockaddr_in* address) {
  return fd >= 0 && DO3(SYS_connect, fd, address, sizeof(*address)) == 0;
}
static int ConnectsToAny(void) {
  const struct sockaddr_in any = Listener(INADDR_ANY), other = Listener(0x7f000002);
  return Connects(DO3(SYS_socket, AF_INET, SOCK_STREAM, 0), &any) ||
         Connects(DO3(SYS_socket, AF_INET, SOCK_STREAM, 0), &other);
}
static int ConnectsMapped(void) {
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(Env("PORT")))};
  CHECK(inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr) == 1);
  return DO3(SYS_connect, DO3(SYS_socket, AF_INET6, SOCK_STREAM, 0), &address, sizeof(address)) == 0;
}
static int ConnectsByManyPaths(void) {
  const struct sockaddr_in address = Listener(INADDR_LOOPBACK);
  return Connects(DO3(SYS_socket, AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */), &address);
}
static int ConnectsFast(void) {
  const struct sockaddr_in address = Listener(INADDR_LOOPBACK);
  return DO6(SYS_sendto, DO3(SYS_socket, AF_INET, SOCK_STREAM, 0), "x", 1, MSG_FASTOPEN, &address, sizeof(address)) ==
         1;
}
static int Datagram(void) {
  char byte;
  const struct sockaddr_in address = Listener(INADDR_LOOPBACK);
  const long fd = DO3(SYS_socket, AF_INET, SOCK_DGRAM, 0);
  if (DO6(SYS_sendto, fd, "x", 1, 0, &address, sizeof(address)) != 1) return 0;
  const struct timeval wait = {.tv_sec = 2};
  CHECK(setsockopt((int)fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
  return DO3(SYS_read, fd, &byte, 1) == 1;
}
static int AbstractByMessage(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int size = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "guise-test-%s", Env("PORT"));
  const long fd = DO3(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  return DO3(SYS_connect, fd, &address, offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size) == 0;
}
static int ConnectsToServer(void) {
  const char* const named = getenv("GUISE_RUNTIME_DIR");
  const char* const places[] = {named != NULL ? named : "/", "/run/guise", Text("/tmp/guise-%d", getuid()),
                                Text("/run/user/%d/guise", getuid())};
  for (int i = 0; i < 4; ++i) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", places[i]);
    if (DO3(SYS_connect, DO3(SYS_socket, AF_UNIX, SOCK_STREAM, 0), &address, sizeof(address)) == 0) return 1;
  }
  return 0;
}
static int RareSockets(void) {
  for (int family = 2; family < 50; ++family) {
    if (family == AF_INET || family == AF_INET6 || family == AF_NETLINK) continue;
    for (int type = 1; type <= 5; ++type) {
      if (DO3(SYS_socket, family, type, 0) >= 0) return 1;
    }
  }
  return 0;
}
// Arguments of socket(2) are 32 bits wide.
static int SocketsWithHighHalf(void) {
  const int families[] = {AF_PACKET, AF_ALG, AF_VSOCK, AF_XDP};
  for (int i = 0; i < 4; ++i) {
    for (int type = 1; type <= 5; ++type) {
      if (DO3(SYS_socket, families[i] | 1L << 32, type | 1L << 33, 1L << 34) >= 0) return 1;
    }
  }
  return 0;
}
static int RareNetlinks(void) {
  const int protocols[] = {NETLINK_XFRM,   NETLINK_AUDIT,     NETLINK_NETFILTER,
                           NETLINK_CRYPTO, NETLINK_CONNECTOR, NETLINK_RDMA};
  for (int i = 0; i < 6; ++i) {
    if (DO3(SYS_socket, AF_NETLINK, SOCK_RAW, protocols[i]) >= 0) return 1;
  }
  return 0;
}
static int EventsOfDevices(void) { return DO3(SYS_socket, AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT) >= 0; }
static int LoopbackUp(void) {
  struct ifreq request = {.ifr_name = "lo"};
  const long fd = DO3(SYS_socket, AF_INET, SOCK_DGRAM, 0);
  if (DO3(SYS_ioctl, fd, 0x8913 /* SIOCGIFFLAGS */, &request) != 0) return 0;
  request.ifr_flags |= IFF_UP;
  return DO3(SYS_ioctl, fd, 0x8914 /* SIOCSIFFLAGS */, &request) == 0;
}
static int Tunnel(void) { return Opens("/dev/net/tun", O_RDWR); }

// --- terminals
static int OwnTerminal(void) {
  int master, slave;
  CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0 && (getpgrp() == getpid() || setsid() > 0));
  return ioctl(slave, TIOCSCTTY, 0) == 0 ? slave : -1;
}
static int TypesIntoOwnTerminal(void) {
  const int fd = OwnTerminal();
  return fd >= 0 && (DO3(SYS_ioctl, fd, TIOCSTI, "x") == 0 || DO3(SYS_ioctl, fd, TIOCSTI | 7L << 32, "x") == 0);
}
static int TypesByName(void) {
  return OwnTerminal() >= 0 && DO3(SYS_ioctl, Open("/dev/tty", O_RDWR), TIOCSTI, "x") == 0;
}
static int Consoles(void) {
  return Opens("/dev/console", O_RDONLY) || Opens("/dev/tty1", O_RDONLY) || Opens("/dev/vcs1", O_RDONLY);
}
static int HangUp(void) { return setsid() > 0 && DO0(SYS_vhangup) == 0; }

const struct Way kProcessWays[] = {WAY(SignalByDescriptor),
                                   WAY(SignalByThread),
                                   WAY(SignalWithValue),
                                   WAY(SignalToGroup),
                                   WAY(SignalWithHighHalf),
                                   WAY(SignalByOwner),
                                   WAY(SignalByRequest),
                                   WAY(MemoryOfOutside),
                                   WAY(MemoryOfInit, ROOT),
                                   WAY(MemoryFileOfOutside),
                                   WAY(MemoryFileOfInit, ROOT),
                                   WAY(AdviseOutside, ROOT),
                                   WAY(DescriptorOfOutside),
                                   WAY(SeizeOutside),
                                   WAY(TraceMe),
                                   WAY(TraceWithHighHalf),
                                   WAY(ComparesOutside),
                                   WAY(LimitsOfOutside),
                                   WAY(ScheduleOfOutside),
                                   WAY(DiskPriorityOfOutside),
                                   WAY(PagesOfOutside),
                                   WAY(FutexListOfOutside),
                                   WAY(ClockOfOutside),
                                   WAY(ScoreOfOutside),
                                   WAY(ChildrenListed),
                                   WAY(CoreSchedulingOfOutside, "core scheduling"),
                                   WAY(SharedMemoryOfOutside, "System V IPC"),
                                   WAY(SemaphoreOfOutside, "System V IPC"),
                                   WAY(MessagesOfOutside, "System V IPC"),
                                   WAY(QueueOfOutside, "message queues"),
                                   WAY(SharedFileOfOutside),
                                   WAY(SeesListener),
                                   WAY(SeesAbstractSocket),
                                   WAY(ConnectsToAny),
                                   WAY(ConnectsMapped, "IPv6"),
                                   WAY(ConnectsByManyPaths, "MPTCP"),
                                   WAY(ConnectsFast),
                                   WAY(Datagram),
                                   WAY(AbstractByMessage),
                                   WAY(ConnectsToServer),
                                   WAY(RareSockets),
                                   WAY(SocketsWithHighHalf, "vsock"),
                                   WAY(RareNetlinks),
                                   WAY(EventsOfDevices),
                                   WAY(LoopbackUp, ROOT),
                                   WAY(Tunnel, "tunnels"),
                                   WAY(TypesIntoOwnTerminal, "TIOCSTI"),
                                   WAY(TypesByName, "TIOCSTI"),
                                   WAY(Consoles, ROOT),
                                   WAY(HangUp, ROOT),
                                   {NULL, NULL, NULL}};
