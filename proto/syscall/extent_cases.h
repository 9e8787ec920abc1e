// Calls for extent_test: with one pointer each that is to be moved to the edge of a page, and good but for that.
#ifndef GUISE_PROTO_SYSCALL_EXTENT_CASES_H_
#define GUISE_PROTO_SYSCALL_EXTENT_CASES_H_

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "proto/syscall/table.h"

namespace guise::syscall {

using ExtentArgs = std::array<uint64_t, kMaxArgs>;

// Stands in a case's arguments for the pointer that is moved to the edge.
inline constexpr uint64_t kHere = 0x4755495345;

struct ExtentCase {
  Nr nr;
  ExtentArgs args;           // one of them kHere
  std::string content = {};  // what lies there; zeros follow
  uint64_t bytes = 0;        // where ExtentOf needs memory: what it must say there
  std::function<void()> prepare = [] {};
};

// What the calls work on; their arguments are its.
class ExtentFixture {
 public:
  ExtentFixture();
  ~ExtentFixture();

  std::vector<ExtentCase> Cases();

  // What earlier calls wrote is no input to the next.
  void Clear();

 private:
  int root_ = open("/", O_RDONLY | O_DIRECTORY);
  int file_ = memfd_create("edge", 0);
  std::string file_path_;
  int ready_ = eventfd(0, 0);
  int epoll_ = epoll_create1(0);
  int timer_ = timerfd_create(CLOCK_MONOTONIC, 0);
  int inet_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
  int pipe_[2];
  int sockets_[2];
  pid_t child_;
  char scratch_[4096] = {};
  iovec vector_ = {scratch_, 8};
  socklen_t room_ = 2;
  uint32_t word_ = 0;
  uint32_t caps_v1_[2] = {_LINUX_CAPABILITY_VERSION_1, 0};
  uint32_t caps_v3_[2] = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct rlimit limit_;
};

}  // namespace guise::syscall

#endif  // GUISE_PROTO_SYSCALL_EXTENT_CASES_H_
