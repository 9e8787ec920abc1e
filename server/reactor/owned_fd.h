// OwnedFd: a file descriptor with one owner.
#ifndef GUISE_SERVER_REACTOR_OWNED_FD_H_
#define GUISE_SERVER_REACTOR_OWNED_FD_H_

#include <unistd.h>

#include <utility>

namespace guise::server {

class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnedFd() {
    if (fd_ >= 0) close(fd_);
  }

  // -1: none.
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // Gives up the ownership.
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_REACTOR_OWNED_FD_H_
