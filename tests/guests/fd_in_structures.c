// A number that is not open is none where a structure, or an argument of some commands alone, names it.
#include <linux/bpf.h>
#include <linux/kcmp.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "tests/guests/guest.h"

enum {
  kOpenTree = 428,
  kFsopen = 430,
  kFsconfig = 431,
  kMountSetattr = 442,
  kStatmount = 457,
  kFirst = 16,
  kLast = 400
};

static int udp, epoll, loop, event, context, tree;

static long Option(int level, int name, int fd) { return setsockopt(udp, level, name, &fd, sizeof(fd)); }
static long AttachBpf(int fd) { return Option(SOL_SOCKET, SO_ATTACH_BPF, fd); }
static long AttachReuseport(int fd) { return Option(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, fd); }
static long Notify(int fd) {
  char cookie[32] = {0};
  struct sigevent wanted = {.sigev_notify = SIGEV_THREAD, .sigev_signo = fd, .sigev_value.sival_ptr = cookie};
  return syscall(SYS_mq_notify, -1, &wanted);
}
static long Idmap(int fd) {
  struct mount_attr wanted = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint32_t)fd};
  return syscall(kMountSetattr, tree, "", AT_EMPTY_PATH, &wanted, sizeof(wanted));
}
static long Bpf(int command, union bpf_attr attr) { return syscall(SYS_bpf, command, &attr, sizeof(attr)); }
static long Info(int fd) { return Bpf(BPF_OBJ_GET_INFO_BY_FD, (union bpf_attr){.info = {.bpf_fd = (uint32_t)fd}}); }
static long Look(int fd) { return Bpf(BPF_MAP_LOOKUP_ELEM, (union bpf_attr){.map_fd = (uint32_t)fd}); }
static long Pin(int fd) {
  return Bpf(BPF_OBJ_PIN, (union bpf_attr){.pathname = (uintptr_t) "/sys/fs/bpf/none", .bpf_fd = (uint32_t)fd});
}
static long Batch(int fd) {
  return Bpf(BPF_MAP_LOOKUP_BATCH, (union bpf_attr){.batch = {.map_fd = (uint32_t)fd, .count = 1}});
}
static long Nested(int fd) {
  return Bpf(BPF_MAP_CREATE, (union bpf_attr){.map_type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
                                              .key_size = 4,
                                              .value_size = 4,
                                              .max_entries = 1,
                                              .inner_map_fd = (uint32_t)fd});
}
static long Bind(int fd) {
  return Bpf(BPF_PROG_BIND_MAP, (union bpf_attr){.prog_bind_map = {.prog_fd = (uint32_t)fd, .map_fd = (uint32_t)fd}});
}
static long CompareEpoll(int fd) {
  const struct kcmp_epoll_slot slot = {.efd = (uint32_t)fd};
  return syscall(SYS_kcmp, getpid(), getpid(), KCMP_EPOLL_TFD, udp, &slot);
}
static long CompareWaitedFor(int fd) {
  const struct kcmp_epoll_slot slot = {.efd = (uint32_t)epoll, .tfd = (uint32_t)udp};
  return syscall(SYS_kcmp, getpid(), getpid(), KCMP_EPOLL_TFD, fd, &slot);
}
static long LoopFile(int fd) {
  const long result = ioctl(loop, LOOP_SET_FD, fd);
  if (result == 0) CHECK(ioctl(loop, LOOP_CLR_FD) == 0);
  return result;
}
static long LoopConfigure(int fd) {
  struct loop_config config = {.fd = (uint32_t)fd};
  const long result = ioctl(loop, LOOP_CONFIGURE, &config);
  if (result == 0) CHECK(ioctl(loop, LOOP_CLR_FD) == 0);
  return result;
}
static long Output(int fd) { return ioctl(event, PERF_EVENT_IOC_SET_OUTPUT, fd); }
static long Configure(int fd) { return syscall(kFsconfig, context, FSCONFIG_SET_FD, "source", NULL, fd); }
static long Namespace(int fd) {
  const uint32_t request[8] = {32, (uint32_t)fd, 0x80000001};
  char room[512];
  return syscall(kStatmount, request, room, sizeof(room), 0);
}
static long Executable(int fd) { return prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0, 0); }

static const struct {
  const char* name;
  long (*use)(int);
} uses[] = {{"SO_ATTACH_BPF", AttachBpf},
            {"SO_ATTACH_REUSEPORT_EBPF", AttachReuseport},
            {"mq_notify", Notify},
            {"mount_setattr", Idmap},
            {"BPF_OBJ_GET_INFO_BY_FD", Info},
            {"BPF_MAP_LOOKUP_ELEM", Look},
            {"BPF_OBJ_PIN", Pin},
            {"BPF_MAP_LOOKUP_BATCH", Batch},
            {"BPF_MAP_CREATE", Nested},
            {"BPF_PROG_BIND_MAP", Bind},
            {"KCMP_EPOLL_TFD", CompareEpoll},
            {"KCMP_EPOLL_TFD, first", CompareWaitedFor},
            {"LOOP_SET_FD", LoopFile},
            {"LOOP_CONFIGURE", LoopConfigure},
            {"PERF_EVENT_IOC_SET_OUTPUT", Output},
            {"FSCONFIG_SET_FD", Configure},
            {"statmount", Namespace},
            {"PR_SET_MM_EXE_FILE", Executable}};

static long Result(long (*use)(int), int fd) {
  errno = 0;
  const long result = use(fd);
  return result == -1 ? -errno : result;
}

int main(void) {
  CHECK(syscall(SYS_close_range, 3, -1, 0) == 0);
  udp = socket(AF_UNIX, SOCK_DGRAM, 0);
  epoll = epoll_create1(0);
  loop = open("/dev/loop0", O_RDONLY);  // not to be had by all: what follows fails alike then
  struct perf_event_attr counted = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(counted), .exclude_kernel = 1};
  event = (int)syscall(SYS_perf_event_open, &counted, 0, -1, -1, 0);
  context = (int)syscall(kFsopen, "ext4", 0);
  tree = (int)syscall(kOpenTree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */);
  for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); ++i) {
    const long expected = Result(uses[i].use, 1 << 30);
    for (int fd = kFirst; fd <= kLast; ++fd) {
      const long result = Result(uses[i].use, fd);
      if (result == expected) continue;
      fprintf(stderr, "%s of %d gave %ld instead of %ld\n", uses[i].name, fd, result, expected);
      return 1;
    }
  }
  return Pass();
}
