#include "proto/syscall/extent_cases.h"

#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace guise::syscall {
namespace {

template <typename T>
std::string BytesOf(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}
template <typename T>
uint64_t AddressOf(T* pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

}  // namespace

ExtentFixture::ExtentFixture() {
  if (pipe(pipe_) != 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets_) != 0) abort();
  file_path_ = "/proc/self/fd/" + std::to_string(file_);
  const uint64_t one = 1;
  const epoll_event event = {.events = EPOLLIN, .data = {}};
  if (write(ready_, &one, sizeof(one)) != sizeof(one) || ftruncate(file_, 8192) != 0) abort();
  epoll_event copy = event;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, ready_, &copy) != 0) abort();
  child_ = fork();
  if (child_ == 0) _exit(7);
  siginfo_t info;
  if (waitid(P_PID, child_, &info, WEXITED | WNOWAIT) != 0) abort();
}

ExtentFixture::~ExtentFixture() { waitpid(child_, nullptr, 0); }

void ExtentFixture::Clear() { memset(scratch_, 0, sizeof(scratch_)); }

std::vector<ExtentCase> ExtentFixture::Cases() {
  const uint64_t root = static_cast<uint64_t>(root_), file = static_cast<uint64_t>(file_);
  const uint64_t slash = AddressOf("/"), empty = AddressOf(""), path = AddressOf(file_path_.c_str());
  const uint64_t scratch = AddressOf(scratch_);
  const uint64_t bad = ~uint64_t{0}, at_fdcwd = static_cast<uint64_t>(AT_FDCWD);
  const uint64_t stream = static_cast<uint64_t>(inet_), left = static_cast<uint64_t>(sockets_[0]);
  const uint64_t right = static_cast<uint64_t>(sockets_[1]);
  const auto send = [this] { return (void)::send(sockets_[1], "datagram", 8, 0); };
  const auto raise_blocked = [] { return (void)raise(SIGUSR1); };
  static sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &usr1, nullptr);
  if (getrlimit(RLIMIT_NOFILE, &limit_) != 0) abort();
  const std::string one_second = BytesOf(timespec{0, 1});
  msghdr message = {};
  message.msg_iov = &vector_;
  message.msg_iovlen = 1;
  const open_how how = {.flags = O_RDONLY, .mode = 0, .resolve = 0};
  // Static, where a case passes an address.
  static const struct {
    uint64_t val, uaddr;
    uint32_t flags, reserved;
  } waitv[2] = {{1, AddressOf(&word_), 2, 0}, {1, AddressOf(&word_), 2, 0}};
  const struct {
    uint64_t value;
    uint32_t size, flags;
  } xattr = {scratch, 4, 0};
  static const struct {
    uint32_t size, spare;
    uint64_t mnt_id, param;
  } mount_request = {24, 0, bad, 0};
  static const sigevent quiet = [] {
    sigevent event = {};
    event.sigev_notify = SIGEV_NONE;
    return event;
  }();
  const std::string mtype = BytesOf(uint64_t{1});

  return {
      // Files.
      {Nr::stat, {slash, kHere}},
      {Nr::lstat, {slash, kHere}},
      {Nr::fstat, {root, kHere}},
      {Nr::newfstatat, {root, empty, kHere, AT_EMPTY_PATH}},
      {Nr::statx, {root, empty, AT_EMPTY_PATH, STATX_ALL, kHere}},
      {Nr::statfs, {slash, kHere}},
      {Nr::fstatfs, {root, kHere}},
      {Nr::pipe, {kHere}},
      {Nr::pipe2, {kHere, 0}},
      {Nr::utime, {path, kHere}},
      {Nr::utimes, {path, kHere}},
      {Nr::futimesat, {at_fdcwd, path, kHere}},
      {Nr::utimensat, {at_fdcwd, path, kHere, 0}},
      {Nr::openat2, {at_fdcwd, slash, kHere, sizeof(how)}, BytesOf(how)},
      {Nr::write, {file, kHere, 100}},
      {Nr::pwrite64, {file, kHere, 100, 0}},
      {Nr::read, {file, kHere, 100}, "", 0, [this] { lseek(file_, 0, SEEK_SET); }},
      {Nr::pread64, {file, kHere, 100, 0}},
      {Nr::readv, {file, kHere, 1}, BytesOf(vector_), 0, [this] { lseek(file_, 0, SEEK_SET); }},
      {Nr::writev, {file, kHere, 1}, BytesOf(vector_)},
      {Nr::preadv2, {file, kHere, 1, 0, 0, 0}, BytesOf(vector_)},
      {Nr::vmsplice, {static_cast<uint64_t>(pipe_[1]), kHere, 1, SPLICE_F_NONBLOCK}, BytesOf(iovec{scratch_, 1})},
      {Nr::sendfile, {static_cast<uint64_t>(pipe_[1]), file, kHere, 1}},
      {Nr::splice, {file, kHere, static_cast<uint64_t>(pipe_[1]), 0, 1, SPLICE_F_NONBLOCK}},
      {Nr::copy_file_range, {file, kHere, file, 0, 1, 0}, BytesOf(uint64_t{4096})},
      {Nr::cachestat, {file, kHere, scratch, 0}},
      {Nr::cachestat, {file, scratch, kHere, 0}},
      {Nr::fsetxattr, {file, AddressOf("user.edge"), kHere, 4, 0}},
      {Nr::setxattrat, {file, empty, AT_EMPTY_PATH, AddressOf("user.edge"), kHere, 16}, BytesOf(xattr)},
      {Nr::getxattrat, {file, empty, AT_EMPTY_PATH, AddressOf("user.edge"), kHere, 16}, BytesOf(xattr)},
      {Nr::statmount, {kHere, scratch, sizeof(scratch_), 0}, BytesOf(mount_request), 24},
      {Nr::listmount, {kHere, scratch, 1, 0}, BytesOf(mount_request), 24},
      {Nr::listmount, {AddressOf(&mount_request), kHere, 1, 0}},
      // Waiting.
      {Nr::poll, {kHere, 2, 0}},
      {Nr::ppoll, {kHere, 2, scratch, 0, 8}},
      {Nr::ppoll, {scratch, 1, kHere, 0, 8}},
      {Nr::ppoll, {scratch, 1, AddressOf(scratch_ + 64), kHere, 8}},
      {Nr::select, {64, kHere, 0, 0, scratch}},
      {Nr::select, {65, 0, kHere, 0, scratch}},
      {Nr::select, {1, 0, 0, kHere, scratch}},
      {Nr::select, {0, 0, 0, 0, kHere}},
      {Nr::pselect6, {0, 0, 0, 0, kHere, 0}},
      {Nr::pselect6, {0, 0, 0, 0, scratch, kHere}},
      {Nr::epoll_ctl,
       {static_cast<uint64_t>(epoll_), EPOLL_CTL_MOD, static_cast<uint64_t>(ready_), kHere},
       BytesOf(epoll_event{.events = EPOLLIN, .data = {}})},
      {Nr::epoll_wait, {static_cast<uint64_t>(epoll_), kHere, 1, 0}},
      {Nr::epoll_pwait, {static_cast<uint64_t>(epoll_), scratch, 1, 0, kHere, 8}},
      {Nr::epoll_pwait2, {static_cast<uint64_t>(epoll_), scratch, 1, kHere, 0, 8}},
      {Nr::futex_waitv, {kHere, 2, 0, 0, 0}, BytesOf(waitv)},
      {Nr::futex_waitv, {AddressOf(&waitv), 2, 0, kHere, CLOCK_MONOTONIC}},
      {Nr::futex_wait, {AddressOf(&word_), 1, bad >> 32, 2, kHere, CLOCK_MONOTONIC}},
      {Nr::futex_requeue, {kHere, 0, 0, 0}, BytesOf(waitv)},
      {Nr::waitid, {P_ALL, 0, kHere, WEXITED | WNOWAIT, 0}},
      {Nr::waitid, {P_ALL, 0, 0, WEXITED | WNOWAIT, kHere}},
      {Nr::nanosleep, {kHere, 0}, one_second},
      {Nr::clock_nanosleep, {CLOCK_MONOTONIC, 0, kHere, 0}, one_second},
      // Signals.
      {Nr::rt_sigaction, {SIGUSR2, kHere, 0, 8}},
      {Nr::rt_sigaction, {SIGUSR2, 0, kHere, 8}},
      {Nr::rt_sigprocmask, {SIG_BLOCK, kHere, 0, 8}},
      {Nr::rt_sigprocmask, {SIG_BLOCK, 0, kHere, 8}},
      {Nr::rt_sigpending, {kHere, 8}},
      {Nr::rt_sigpending, {kHere, 5}},
      {Nr::rt_sigtimedwait, {kHere, 0, scratch, 8}},
      {Nr::rt_sigtimedwait, {AddressOf(&usr1), 0, kHere, 8}},
      {Nr::rt_sigtimedwait, {AddressOf(&usr1), kHere, scratch, 8}, "", 0, raise_blocked},
      {Nr::sigaltstack, {0, kHere}},
      {Nr::sigaltstack, {kHere, 0}, BytesOf(stack_t{nullptr, SS_DISABLE, 0})},
      {Nr::signalfd4, {bad, kHere, 8, 0}},
      // Time.
      {Nr::gettimeofday, {kHere, 0}},
      {Nr::gettimeofday, {0, kHere}},
      {Nr::time, {kHere}},
      {Nr::times, {kHere}},
      {Nr::clock_gettime, {CLOCK_MONOTONIC, kHere}},
      {Nr::clock_getres, {CLOCK_MONOTONIC, kHere}},
      {Nr::adjtimex, {kHere}},
      {Nr::clock_adjtime, {CLOCK_REALTIME, kHere}},
      {Nr::getitimer, {ITIMER_REAL, kHere}},
      {Nr::setitimer, {ITIMER_REAL, kHere, 0}},
      {Nr::setitimer, {ITIMER_REAL, scratch, kHere}},
      {Nr::timer_create, {CLOCK_MONOTONIC, kHere, scratch}, BytesOf(quiet)},
      {Nr::timer_create, {CLOCK_MONOTONIC, AddressOf(&quiet), kHere}},
      {Nr::timer_settime, {bad, 0, kHere, 0}},
      {Nr::timerfd_settime, {static_cast<uint64_t>(timer_), 0, kHere, 0}},
      {Nr::timerfd_settime, {static_cast<uint64_t>(timer_), 0, scratch, kHere}},
      {Nr::timerfd_gettime, {static_cast<uint64_t>(timer_), kHere}},
      // Processes and the machine.
      {Nr::uname, {kHere}},
      {Nr::sysinfo, {kHere}},
      {Nr::getrlimit, {RLIMIT_NOFILE, kHere}},
      {Nr::setrlimit, {RLIMIT_NOFILE, kHere}, BytesOf(limit_)},
      {Nr::prlimit64, {0, RLIMIT_NOFILE, kHere, 0}, BytesOf(limit_)},
      {Nr::prlimit64, {0, RLIMIT_NOFILE, 0, kHere}},
      {Nr::getrusage, {RUSAGE_SELF, kHere}},
      {Nr::getresuid, {kHere, scratch, scratch}},
      {Nr::getresgid, {scratch, scratch, kHere}},
      {Nr::getcpu, {kHere, 0, 0}},
      {Nr::capget, {kHere, scratch}, BytesOf(caps_v3_)},
      {Nr::capget, {AddressOf(&caps_v1_), kHere}, "", 12},
      {Nr::capget, {AddressOf(&caps_v3_), kHere}, "", 24},
      {Nr::capset, {AddressOf(&caps_v1_), kHere}, "", 12},
      {Nr::sched_getparam, {0, kHere}},
      {Nr::sched_setscheduler, {0, SCHED_OTHER, kHere}},
      {Nr::sched_rr_get_interval, {0, kHere}},
      {Nr::sched_getattr, {0, kHere, 48, 0}},
      {Nr::sched_setattr, {0, kHere, 0}, BytesOf(uint32_t{48}), 48},
      {Nr::sched_setaffinity, {0, 8, kHere}, std::string(8, '\xff')},
      {Nr::get_robust_list, {0, kHere, scratch}},
      {Nr::get_robust_list, {0, scratch, kHere}},
      {Nr::mincore, {AddressOf(scratch_) & ~uint64_t{4095}, 4097, kHere}},
      {Nr::get_mempolicy, {kHere, 0, 0, 0, 0}},
      {Nr::get_mempolicy, {0, kHere, 1025, 0, 0}},
      {Nr::set_mempolicy, {2, kHere, 65}},
      {Nr::set_mempolicy, {2, kHere, 66}},
      {Nr::move_pages, {0, 1, kHere, 0, scratch, 0}, BytesOf(scratch)},
      {Nr::move_pages, {0, 1, AddressOf(&waitv[0].uaddr), 0, kHere, 0}},
      {Nr::getrandom, {kHere, 100, 0}},
      {Nr::process_vm_readv, {static_cast<uint64_t>(getpid()), kHere, 1, AddressOf(&vector_), 1, 0}, BytesOf(vector_)},
      {Nr::process_vm_readv, {static_cast<uint64_t>(getpid()), AddressOf(&vector_), 1, kHere, 1, 0}, BytesOf(vector_)},
      // IPC: the arguments are read before the object is looked for.
      {Nr::semop, {bad >> 33, kHere, 2}},
      {Nr::semtimedop, {bad >> 33, scratch, 1, kHere}},
      {Nr::msgsnd, {bad >> 33, kHere, 5, 0}, mtype},
      {Nr::mq_open, {AddressOf("guise-edge"), O_RDONLY, 0, kHere}},
      {Nr::mq_notify, {bad, kHere}},
      {Nr::mq_getsetattr, {bad, kHere, 0}},
      {Nr::mq_timedsend, {bad, scratch, 1, 0, kHere}},
      {Nr::io_setup, {1, kHere}},
      // Sockets.
      {Nr::socketpair, {AF_UNIX, SOCK_STREAM, 0, kHere}},
      {Nr::bind, {stream, kHere, 2}, BytesOf(uint16_t{AF_INET})},
      {Nr::connect, {stream, kHere, 2}, BytesOf(uint16_t{AF_INET})},
      {Nr::setsockopt, {stream, SOL_SOCKET, SO_KEEPALIVE, kHere, 4}},
      {Nr::getsockopt, {stream, SOL_SOCKET, SO_TYPE, kHere, AddressOf(&room_)}, "", 2, [this] { room_ = 2; }},
      {Nr::getsockopt, {stream, SOL_SOCKET, SO_TYPE, scratch, kHere}, BytesOf(uint32_t{4})},
      {Nr::getsockname, {stream, kHere, AddressOf(&room_)}, "", 2, [this] { room_ = 2; }},
      {Nr::getsockname, {stream, scratch, kHere}, BytesOf(uint32_t{2})},
      {Nr::sendto, {left, kHere, 8, MSG_DONTWAIT, 0, 0}},
      {Nr::sendto, {left, scratch, 1, MSG_DONTWAIT, kHere, 2}, BytesOf(uint16_t{AF_INET})},
      {Nr::recvfrom, {left, kHere, 8, MSG_DONTWAIT, 0, 0}, "", 0, send},
      {Nr::sendmsg, {left, kHere, MSG_DONTWAIT}, BytesOf(message)},
      {Nr::recvmsg, {left, kHere, MSG_DONTWAIT}, BytesOf(message), 0, send},
      {Nr::sendmmsg, {right, kHere, 1, MSG_DONTWAIT}, BytesOf(message)},
      {Nr::recvmmsg, {left, kHere, 1, MSG_DONTWAIT, 0}, BytesOf(message), 0, send},
      {Nr::recvmmsg, {left, scratch, 0, MSG_DONTWAIT, kHere}},
  };
}

}  // namespace guise::syscall
