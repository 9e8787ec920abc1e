// poll and SCM_RIGHTS know only the program's own descriptors.
#include <poll.h>
#include <sys/socket.h>

#include "tests/guests/guest.h"

static int Send(int socket, int fd) {
  char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
  char byte = 'x';
  struct iovec data = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  return (int)sendmsg(socket, &message, 0);
}

int main(void) {
  int sockets[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
  CHECK(Send(sockets[0], sockets[1]) == 1);
  for (int fd = 100; fd < 300; ++fd) {
    struct pollfd one = {fd, POLLIN | POLLOUT, 0};
    CHECK(poll(&one, 1, 0) == 1 && one.revents == POLLNVAL);
    FAILS(Send(sockets[0], fd), EBADF);
  }
  return Pass();
}
