#include "tests/sandbox/outside.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace guise::tests {
namespace {

// For everybody: it is the sandbox that is to keep guests from it.
constexpr mode_t kMode = 0666;

}  // namespace

Outside::Outside(const Guise& guise)
    : process_(Process::Start(guise.In(NativeWay(), {"sleep", "1000"}))),
      tcp_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      udp_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
      abstract_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(tcp_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(tcp_, 64), 0);
  EXPECT_EQ(getsockname(tcp_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  EXPECT_EQ(bind(udp_, reinterpret_cast<sockaddr*>(&address), size), 0);
  const int port = ntohs(address.sin_port);
  port_ = std::to_string(port);
  name_ = "guise-test-" + port_;
  sockaddr_un abstract = {};
  abstract.sun_family = AF_UNIX;
  name_.copy(abstract.sun_path + 1, sizeof(abstract.sun_path) - 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size());
  EXPECT_EQ(bind(abstract_, reinterpret_cast<sockaddr*>(&abstract), length), 0);
  EXPECT_EQ(listen(abstract_, 64), 0);
  const mode_t mask = umask(0);
  queue_ = mq_open(("/" + name_).c_str(), O_CREAT | O_RDWR, kMode, nullptr);
  const int file = shm_open(("/" + name_).c_str(), O_CREAT | O_RDWR, kMode);
  umask(mask);
  EXPECT_EQ(write(file, "shared", 6), 6);
  close(file);
  memory_ = shmget(port, 4096, IPC_CREAT | kMode);
  semaphore_ = semget(port, 1, IPC_CREAT | kMode);
  messages_ = msgget(port, IPC_CREAT | kMode);
  EXPECT_EQ(pipe2(end_, O_CLOEXEC), 0);
  echo_ = std::thread([this] { Echo(); });
}

Outside::~Outside() {
  close(end_[1]);
  echo_.join();
  process_->Signal(SIGKILL);
  process_->Wait();
  mq_unlink(("/" + name_).c_str());
  shm_unlink(("/" + name_).c_str());
  shmctl(memory_, IPC_RMID, nullptr);
  semctl(semaphore_, 0, IPC_RMID);
  msgctl(messages_, IPC_RMID, nullptr);
  for (const int fd : {tcp_, udp_, abstract_, queue_, end_[0]}) close(fd);
}

void Outside::Echo() const {
  pollfd fds[] = {{.fd = udp_, .events = POLLIN, .revents = 0}, {.fd = end_[0], .events = POLLIN, .revents = 0}};
  while (poll(fds, 2, -1) > 0 && fds[1].revents == 0) {
    char data[128];
    sockaddr_in peer = {};
    socklen_t size = sizeof(peer);
    const ssize_t got = recvfrom(udp_, data, sizeof(data), 0, reinterpret_cast<sockaddr*>(&peer), &size);
    if (got >= 0) sendto(udp_, data, static_cast<size_t>(got), 0, reinterpret_cast<sockaddr*>(&peer), size);
  }
}

}  // namespace guise::tests
