// Pipes, sockets, and what waits for them; numbers of fds.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/utsname.h>

#include "tests/stress/stress.h"

static void Close(struct Stream* stream, long fd) { Fold(stream, (uint64_t)CALL(stream, close, fd)); }

static void Pipe(struct Stream* stream) {
  int ends[2];
  unsigned char bytes[6000], got[6000];
  const size_t size = 1 + Below(stream, sizeof(bytes) - 1);
  Fill(stream, bytes, size);
  Fold(stream, (uint64_t)CALL(stream, pipe2, P(ends), O_CLOEXEC));
  FoldFd(stream, ends[0]);
  FoldFd(stream, ends[1]);
  Fold(stream, (uint64_t)CALL(stream, write, ends[1], P(bytes), (long)size));
  Fold(stream, (uint64_t)CALL(stream, write, ends[1], 0, 1));
  const long half = CALL(stream, read, ends[0], P(got), (long)(size / 2));
  Fold(stream, (uint64_t)half);
  if (half > 0) FoldBytes(stream, got, (size_t)half);
  Fold(stream, (uint64_t)CALL(stream, fcntl, ends[0], F_SETFL, O_NONBLOCK));
  Fold(stream, (uint64_t)CALL(stream, read, ends[0], P(got), sizeof(got)));
  Fold(stream, (uint64_t)CALL(stream, read, ends[0], P(got), sizeof(got)));
  LockEnds(stream);
  const int first = (int)Below(stream, 2);
  Close(stream, ends[first]);
  Fold(stream,
       (uint64_t)(first == 0 ? CALL(stream, write, ends[1], P(bytes), 1) : CALL(stream, read, ends[0], P(got), 1)));
  struct pollfd poll_one = {ends[1 - first], POLLIN | POLLOUT, 0};
  Fold(stream, (uint64_t)CALL(stream, poll, P(&poll_one), 1, -1));
  Fold(stream, (uint64_t)poll_one.revents);
  UnlockEnds(stream);
  Close(stream, ends[1 - first]);
}

static void Sockets(struct Stream* stream) {
  static const int kTypes[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  int ends[2], carried = -1;
  char byte = 'x', room[CMSG_SPACE(sizeof(int))] = {0}, got[32];
  const int type = kTypes[Below(stream, 3)];
  Fold(stream, (uint64_t)CALL(stream, socketpair, AF_UNIX, type | SOCK_CLOEXEC, 0, P(ends)));
  Fold(stream, (uint64_t)CALL(stream, sendto, ends[0], P("hello"), 5, MSG_NOSIGNAL, 0, 0));
  Fold(stream, (uint64_t)CALL(stream, recvfrom, ends[1], P(got), 3, MSG_DONTWAIT, 0, 0));
  Fold(stream, (uint64_t)CALL(stream, recvfrom, ends[1], P(got), 3, MSG_DONTWAIT, 0, 0));
  Fold(stream, (uint64_t)CALL(stream, recvfrom, ends[1], P(got), 3, MSG_DONTWAIT, 0, 0));
  // An fd that travels.
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
  struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &ends[0], sizeof(int));
  Fold(stream, (uint64_t)CALL(stream, sendmsg, ends[0], P(&message), 0));
  memset(room, 0, sizeof(room));
  message.msg_controllen = sizeof(room);
  Fold(stream, (uint64_t)CALL(stream, recvmsg, ends[1], P(&message), MSG_CMSG_CLOEXEC));
  memcpy(&carried, CMSG_DATA(header), sizeof(int));
  FoldFd(stream, carried);
  Fold(stream, (uint64_t)CALL(stream, write, carried, P("y"), 1));
  Fold(stream, (uint64_t)CALL(stream, read, ends[1], P(got), sizeof(got)));
  Close(stream, carried);
  Fold(stream, (uint64_t)CALL(stream, shutdown, ends[0], SHUT_RDWR));
  Fold(stream, (uint64_t)CALL(stream, read, ends[0], P(got), sizeof(got)));
  Close(stream, ends[0]);
  Close(stream, ends[1]);
}

static void Events(struct Stream* stream) {
  uint64_t value = 1 + Below(stream, 100);
  const uint64_t one = value;
  const int is_semaphore = (int)Below(stream, 2);
  const long fd = CALL(stream, eventfd2, 3, EFD_NONBLOCK | EFD_CLOEXEC | (is_semaphore ? EFD_SEMAPHORE : 0));
  FoldFd(stream, fd);
  const long set = CALL(stream, epoll_create1, EPOLL_CLOEXEC);
  FoldFd(stream, set);
  struct epoll_event event = {EPOLLIN | (Below(stream, 2) == 0 ? EPOLLET : 0), {.u64 = value}}, got[4] = {0};
  Fold(stream, (uint64_t)CALL(stream, epoll_ctl, set, EPOLL_CTL_ADD, fd, P(&event)));
  Fold(stream, (uint64_t)CALL(stream, epoll_ctl, set, EPOLL_CTL_ADD, fd, P(&event)));
  for (uint64_t turn = 0; turn < 1 + one % 3; ++turn) {
    const long there = Below(stream, 2) == 0 ? CALL(stream, epoll_wait, set, P(got), 4, 0)
                                             : CALL(stream, epoll_pwait, set, P(got), 4, 0, 0, 8);
    Fold(stream, (uint64_t)there);
    if (there > 0) Fold(stream, got[0].data.u64 + got[0].events);
    Fold(stream, (uint64_t)CALL(stream, read, fd, P(&value), 8));
    Fold(stream, value);
  }
  Fold(stream, (uint64_t)CALL(stream, write, fd, P(&one), 8));
  Fold(stream, (uint64_t)CALL(stream, epoll_wait, set, P(got), 4, -1));
  Close(stream, set);
  Close(stream, fd);
}

static void Wait(struct Stream* stream) {
  int ends[2];
  fd_set readable, writable;
  struct timeval none = {0, 0};
  const struct timespec nothing = {0, 1000};
  CHECK(CALL(stream, pipe2, P(ends), O_CLOEXEC) == 0);
  const int is_full = (int)Below(stream, 2);
  if (is_full) Fold(stream, (uint64_t)CALL(stream, write, ends[1], P("abc"), 3));
  struct pollfd polled[3] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {1000000, POLLIN, 0}};
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_SET(ends[0], &readable);
  FD_SET(ends[1], &writable);
  switch (Below(stream, 4)) {
    case 0:
      Fold(stream, (uint64_t)CALL(stream, poll, P(polled), 3, 0));
      break;
    case 1:
      Fold(stream, (uint64_t)CALL(stream, ppoll, P(polled), 3, P(&nothing), 0, 8));
      break;
    case 2:
      Fold(stream, (uint64_t)CALL(stream, select, ends[1] + ends[0], P(&readable), P(&writable), 0, P(&none)));
      break;
    default:
      Fold(stream, (uint64_t)CALL(stream, pselect6, ends[1] + ends[0], P(&readable), P(&writable), 0, P(&nothing), 0));
  }
  for (int i = 0; i < 3; ++i) Fold(stream, (uint64_t)polled[i].revents);
  Fold(stream, (uint64_t)(FD_ISSET(ends[0], &readable) != 0) * 2 + (FD_ISSET(ends[1], &writable) != 0));
  Close(stream, ends[0]);
  Close(stream, ends[1]);
}

static void Duplicate(struct Stream* stream) {
  const int fd = stream->directory;
  // A number of the stream's own, also above and around those that others like to take.
  const long wanted = 150 + stream->number * 100 + (long)Below(stream, 100);
  LockEnds(stream);
  Fold(stream, (uint64_t)CALL(stream, dup2, fd, wanted));
  Fold(stream, (uint64_t)CALL(stream, dup3, fd, wanted, O_CLOEXEC));
  Fold(stream, (uint64_t)CALL(stream, dup3, fd, fd, 0));
  Fold(stream, (uint64_t)CALL(stream, fcntl, wanted, F_GETFD));
  Fold(stream, (uint64_t)CALL(stream, fchdir, -1));
  const long other = CALL(stream, fcntl, wanted, F_DUPFD_CLOEXEC, stream->alone ? wanted - 20 : 0);
  FoldFd(stream, other);
  Close(stream, other);
  const long low = CALL(stream, dup, wanted);
  FoldFd(stream, low);
  Close(stream, low);
  Fold(stream, (uint64_t)CALL(stream, close_range, wanted, wanted, 0));
  Close(stream, wanted);
  UnlockEnds(stream);
}

static void Watch(struct Stream* stream) {
  char bytes[256] __attribute__((aligned(8)));
  const long watch = CALL(stream, inotify_init1, IN_NONBLOCK | IN_CLOEXEC);
  FoldFd(stream, watch);
  char path[32];
  snprintf(path, sizeof(path), "s%d", stream->number);
  Fold(stream, (uint64_t)CALL(stream, inotify_add_watch, watch, P(path), IN_CREATE | IN_DELETE));
  Fold(stream, (uint64_t)CALL(stream, mkdirat, stream->directory, P("watched"), 0700));
  Fold(stream, (uint64_t)CALL(stream, unlinkat, stream->directory, P("watched"), AT_REMOVEDIR));
  const long got = CALL(stream, read, watch, P(bytes), sizeof(bytes));
  Fold(stream, (uint64_t)got);
  for (long at = 0; at < got; at += (long)sizeof(struct inotify_event) + ((struct inotify_event*)(bytes + at))->len) {
    Fold(stream, ((struct inotify_event*)(bytes + at))->mask);
  }
  Close(stream, watch);
}

static void Timer(struct Stream* stream) {
  const struct itimerspec soon = {{0, 0}, {0, 20000}};
  uint64_t times = 0;
  const long fd = CALL(stream, timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC);
  FoldFd(stream, fd);
  Fold(stream, (uint64_t)CALL(stream, timerfd_settime, fd, 0, P(&soon), 0));
  Fold(stream, (uint64_t)CALL(stream, read, fd, P(&times), 8));
  Fold(stream, times);
  Close(stream, fd);
}

static void Identity(struct Stream* stream) {
  struct utsname names;
  struct timespec now, later;
  struct rlimit limit;
  char directory[512];
  Fold(stream, CALL(stream, getpid) == getpid());
  Fold(stream, CALL(stream, gettid) == gettid());
  Fold(stream, CALL(stream, getppid) == getppid());
  CHECK(CALL(stream, getuid) == (long)ExpectedUid() && CALL(stream, geteuid) == (long)ExpectedUid());
  Fold(stream, (uint64_t)CALL(stream, uname, P(&names)));
  Fold(stream, (uint64_t)names.sysname[0] + (uint64_t)names.machine[4]);
  Fold(stream, (uint64_t)CALL(stream, clock_gettime, CLOCK_MONOTONIC, P(&now)));
  Fold(stream, (uint64_t)CALL(stream, clock_gettime, CLOCK_MONOTONIC, P(&later)));
  CHECK(later.tv_sec > now.tv_sec || (later.tv_sec == now.tv_sec && later.tv_nsec >= now.tv_nsec));
  Fold(stream, (uint64_t)CALL(stream, prlimit64, 0, RLIMIT_NOFILE, 0, P(&limit)));
  Fold(stream, limit.rlim_cur);
  const long size = CALL(stream, getcwd, P(directory), sizeof(directory));
  Fold(stream, size > 1 && (size_t)size == strlen(directory) + 1);
  Fold(stream, (uint64_t)CALL(stream, getcwd, P(directory), 1));
  Fold(stream, (uint64_t)CALL(stream, sched_yield));
  Fold(stream, (uint64_t)CALL(stream, getrandom, P(&now), 8, 0));
  Fold(stream, (uint64_t)syscall((long)(1000 + Below(stream, 5000))));
}

const struct Operation kFdOperations[] = {
    {"pipe", Pipe, 30, 0},  {"sockets", Sockets, 20, 0},     {"events", Events, 30, 0},
    {"wait", Wait, 30, 0},  {"duplicate", Duplicate, 20, 0}, {"watch", Watch, 10, 0},
    {"timer", Timer, 4, 0}, {"identity", Identity, 20, 0},   {0},
};
