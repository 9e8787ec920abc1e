#include "tests/kinds/state.h"

#include <fcntl.h>
#include <ftw.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

namespace guise::kinds {
namespace {

constexpr char kText[] = "123456789";
constexpr size_t kTextBytes = 9;

void Require(bool condition, const char* what) {
  if (condition) return;
  perror(what);
  _exit(70);
}

// Moves `fd` to `number`.
void Place(int fd, int number) {
  if (fd < 0) return;
  Require(dup2(fd, number) == number, "dup2");
  close(fd);
}

void WriteText(int fd) { Require(write(fd, kText, kTextBytes) == ssize_t{kTextBytes}, "write"); }

// Of a fresh pipe, one end under `number` and the other out of the way.
void OpenPipe(int end, int number) {
  int fds[2];
  Require(pipe(fds) == 0, "pipe");
  WriteText(fds[1]);
  Place(fds[end], number);
  Place(fds[1 - end], number + 200);
}

void OpenPair(int type, int messages, int number) {
  int fds[2];
  Require(socketpair(AF_UNIX, type, 0, fds) == 0, "socketpair");
  for (int i = 0; i < messages; ++i) WriteText(fds[1]);
  Place(fds[0], number);
  Place(fds[1], number + 200);
}

void OpenListening(int number) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  strcpy(name.sun_path, "listener");
  const auto* const address = reinterpret_cast<const sockaddr*>(&name);
  constexpr socklen_t kLength = offsetof(sockaddr_un, sun_path) + sizeof("listener");
  const int listening = socket(AF_UNIX, SOCK_STREAM, 0);
  Require(bind(listening, address, kLength) == 0 && listen(listening, 4) == 0, "listen");
  const int peer = socket(AF_UNIX, SOCK_STREAM, 0);
  Require(connect(peer, address, kLength) == 0, "connect");
  Place(listening, number);
  Place(peer, number + 200);
}

int OpenNamed(const char* path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  strcpy(name.sun_path, path);
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + strlen(path) + 1);
  Require(bind(fd, reinterpret_cast<const sockaddr*>(&name), length) == 0, path);
  return fd;
}

int OpenMail() {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  strcpy(name.sun_path, "receiver");
  const int receiver = OpenNamed("receiver");
  const int sender = OpenNamed("sender");
  Require(connect(sender, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0, "mail");
  WriteText(sender);
  Require(dup2(sender, NumberOf(Fds::Mail) + 200) >= 0, "dup2");
  close(sender);
  return receiver;
}

int OpenQueue() {
  mq_attr attributes{};
  attributes.mq_maxmsg = 4;
  attributes.mq_msgsize = 64;
  const std::string name = "/guise-kinds-" + std::to_string(getpid());
  const int queue = mq_open(name.c_str(), O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes);
  if (queue < 0) return -1;
  mq_unlink(name.c_str());
  Require(mq_send(queue, kText, kTextBytes, 1) == 0, "mq_send");
  return queue;
}

int OpenEpoll() {
  Open(Fds::Event);
  const int epoll = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 7;
  Require(epoll_ctl(epoll, EPOLL_CTL_ADD, NumberOf(Fds::Event), &event) == 0, "epoll_ctl");
  return epoll;
}

int OpenInotify() {
  const int inotify = inotify_init1(IN_NONBLOCK);
  Require(inotify_add_watch(inotify, "dir", IN_CREATE) == 1, "inotify_add_watch");
  return inotify;
}

int OpenRuleset() {
  const uint64_t access = 1;
  Open(Fds::Path);
  return static_cast<int>(::syscall(SYS_landlock_create_ruleset, &access, sizeof(access), 0));
}

int RemoveOne(const char* path, const struct stat*, int, FTW*) { return remove(path); }

}  // namespace

void EnterState() {
  Require(mkdir("case", 0755) == 0 && chdir("case") == 0, "case");
  const int file = open("file", O_RDWR | O_CREAT, 0644);
  char text[64];
  for (size_t i = 0; i < sizeof(text); ++i) text[i] = static_cast<char>('0' + i);
  Require(write(file, text, sizeof(text)) == ssize_t{sizeof(text)}, "file");
  fsetxattr(file, "user.old", "value", 5, 0);
  // select(2) looks at as many fds as the table has room for: 256, as in a session, whose guarded fds lie there.
  Require(fcntl(file, F_DUPFD, 255) == 255, "F_DUPFD");
  close(file);
  Require(symlink("file", "link") == 0 && mkdir("dir", 0755) == 0, "dir");
  Require(mknod("dir/inner", S_IFREG | 0644, 0) == 0 && mkdir("dir/empty", 0755) == 0, "inner");
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  kill(getpid(), SIGUSR1);
  sigevent event{};
  event.sigev_notify = SIGEV_NONE;
  int timer = -1;
  ::syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer);
}

void RemoveState() {
  umount2("case/dir", MNT_DETACH);
  ::syscall(SYS_mq_unlink, "guise-kinds-open");
  nftw("case", RemoveOne, 16, FTW_DEPTH | FTW_PHYS);
}

void Open(Fds fd) {
  const int number = NumberOf(fd);
  switch (fd) {
    case Fds::File:
      return Place(open("file", O_RDWR), number);
    case Fds::Directory:
      return Place(open("dir", O_RDONLY | O_DIRECTORY), number);
    case Fds::PipeIn:
      return OpenPipe(0, number);
    case Fds::PipeOut:
      return OpenPipe(1, number);
    case Fds::FullSocket:
      return OpenPair(SOCK_STREAM, 1, number);
    case Fds::Datagrams:
      return OpenPair(SOCK_DGRAM, 2, number);
    case Fds::Mail:
      return Place(OpenMail(), number);
    case Fds::NewSocket:
      OpenListening(NumberOf(Fds::Listening));
      return Place(socket(AF_UNIX, SOCK_STREAM, 0), number);
    case Fds::Listening:
      return OpenListening(number);
    case Fds::Event:
      return Place(eventfd(1, EFD_NONBLOCK), number);
    case Fds::Timer:
      return Place(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), number);
    case Fds::Epoll:
      return Place(OpenEpoll(), number);
    case Fds::Inotify:
      return Place(OpenInotify(), number);
    case Fds::Queue:
      return Place(OpenQueue(), number);
    case Fds::Process:
      return Place(static_cast<int>(::syscall(SYS_pidfd_open, getpid(), 0)), number);
    case Fds::Path:
      return Place(open("file", O_PATH), number);
    case Fds::Ruleset:
      return Place(OpenRuleset(), number);
    case Fds::Context:
      return Place(static_cast<int>(::syscall(SYS_fsopen, "tmpfs", 0)), number);
  }
}

int MakeMailbox() {
  const struct {
    long type;
    char text[8];
  } message = {1, {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}};
  const int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
  if (id >= 0) msgsnd(id, &message, 8, 0);
  return id;
}

int MakeSemaphore() { return semget(IPC_PRIVATE, 1, IPC_CREAT | 0600); }

}  // namespace guise::kinds
