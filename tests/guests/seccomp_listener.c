// A listener is told of what the program does, and of nothing else: SECCOMP_RET_USER_NOTIF of seccomp_unotify(2).
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/guests/guest.h"

enum { kAll = -1 };

// Installs a filter that notifies of one call, or of all but sendmsg(2); the listener, or -1 where there are none.
static int Listen(int nr) {
  const struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr == kAll ? SYS_sendmsg : (unsigned)nr, nr == kAll ? 0 : 1,
               nr == kAll ? 1 : 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
  };
  const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), (struct sock_filter*)filter};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void Send(int socket, int fd) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec byte = {"x", 1};
  struct msghdr message = {
      .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  struct cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
  CHECK(sendmsg(socket, &message, 0) == 1);
}

static int Receive(int socket) {
  char control[CMSG_SPACE(sizeof(int))], x;
  struct iovec byte = {&x, 1};
  struct msghdr message = {
      .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  int fd;
  if (recvmsg(socket, &message, 0) != 1) return -1;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
  return fd;
}

// What a supervised program does: it makes the call twice, once in a child. Straight, for C libraries keep a pid.
static void Work(void) {
  int status;
  const pid_t child = fork();
  if (child == 0) _exit(syscall(SYS_getpid) > 0 ? 0 : 1);
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  _exit(syscall(SYS_getpid) > 0 ? 0 : 1);
}

// How many notifications there are; all are answered by going on.
static int Supervise(int nr) {
  int ends[2], status, count = 0;
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const pid_t worker = fork();
  if (worker == 0) {
    const int listener = Listen(nr);
    if (listener < 0) _exit(77);
    Send(ends[1], listener);
    Work();
  }
  close(ends[1]);
  const int listener = Receive(ends[0]);
  close(ends[0]);
  while (listener >= 0) {
    // ABI: seccomp_unotify(2): POLLHUP when nobody has the filter any more.
    struct pollfd one = {listener, POLLIN, 0};
    CHECK(poll(&one, 1, -1) == 1);
    if ((one.revents & POLLIN) == 0) break;
    struct seccomp_notif notification = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0) continue;
    ++count;
    struct seccomp_notif_resp go_on = {.id = notification.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &go_on);
  }
  CHECK(waitpid(worker, &status, 0) == worker && WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) return -1;
  CHECK(WEXITSTATUS(status) == 0);
  return count;
}

int main(void) {
  const int count = Supervise(SYS_getpid);
  // Where a listener supervises already there is none.
  if (count < 0) return Pass();
  CHECK(count == 2);
  CHECK(Supervise(kAll) >= 6);
  return Pass();
}
