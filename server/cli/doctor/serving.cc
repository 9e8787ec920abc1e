// What the server is made of: waiting, memories, life and death of processes.
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/membarrier.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "server/cli/doctor/probe.h"
#include "server/cli/doctor/probes.h"
#include "server/reactor/owned_fd.h"
#include "server/reactor/pidfd.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // ABI: Linux 6.3
#endif

namespace guise::server {
namespace {

// ABI: include/uapi/linux/io_uring.h, Linux 6.7; and include/uapi/linux/futex.h. liburing 2.3 knows neither.
constexpr int kOpFutexWait = 51;
constexpr int kFutexU32 = 2;
constexpr uint64_t kFutexMatchAny = 0xffffffff;

enum class RingTrial { kNop, kFutexWait };

// Sets a ring up and lets it do one thing. 0 or errno.
int TryRing(RingTrial what) {
  io_uring ring;
  int error = -io_uring_queue_init(2, &ring, 0);
  if (error != 0) return error;
  uint32_t word = 1;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  if (what == RingTrial::kNop) {
    io_uring_prep_nop(sqe);
  } else {
    // The word does not hold the value awaited, so a kernel that knows the operation answers EAGAIN at once.
    io_uring_prep_rw(kOpFutexWait, sqe, kFutexU32, &word, 0, 2);
    sqe->addr3 = kFutexMatchAny;
  }
  io_uring_cqe* cqe = nullptr;
  error = io_uring_submit(&ring) == 1 ? -io_uring_wait_cqe(&ring, &cqe) : EIO;
  if (error == 0) {
    error = -cqe->res;
    io_uring_cqe_seen(&ring, cqe);
    if (what == RingTrial::kFutexWait) error = error == EAGAIN ? 0 : error == 0 ? EIO : error;
  }
  io_uring_queue_exit(&ring);
  return error;
}

int TryPidfd() {
  const OwnedFd pidfd = OpenPidfd(getpid());
  return pidfd ? 0 : errno;
}

int TrySealedMemory(unsigned flags) {
  const OwnedFd memory(memfd_create("guise-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags));
  if (!memory) return errno;
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (ftruncate(memory.get(), 4096) != 0 || fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) return errno;
  return (fcntl(memory.get(), F_GET_SEALS) & kSeals) == kSeals ? 0 : ENOTSUP;
}

int TryMembarrier() {
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) != 0) return errno;
  return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) == 0 ? 0 : errno;
}

}  // namespace

std::vector<Finding> ProbeServing() {
  std::vector<Finding> findings;
  findings.push_back(FindingOf("memfd with seals", TrySealedMemory(0), "sealed", Severity::kRequired,
                               "sessions' memories are made of it; allow memfd_create in the seccomp profile"));
  findings.push_back(FindingOf("memfd without exec (MFD_NOEXEC_SEAL)", TrySealedMemory(MFD_NOEXEC_SEAL), "made",
                               Severity::kInfo, "sessions' memories are made without it; Linux 6.3 has it"));
  findings.push_back(FindingOf("pidfd_open", TryPidfd(), "opened", Severity::kRequired,
                               "the server learns of a guest's death by it; allow pidfd_open in the seccomp profile"));
  findings.push_back(
      FindingOf("io_uring", TryInChild([] { return TryRing(RingTrial::kNop); }), "works", Severity::kDegraded,
                "the server runs on epoll instead; see kernel.io_uring_disabled and the seccomp profile"));
  findings.push_back(FindingOf("io_uring futex wait", TryInChild([] { return TryRing(RingTrial::kFutexWait); }),
                               "works", Severity::kDegraded,
                               "the server waits in a thread per session instead; Linux 6.7 has it"));
  findings.push_back(FindingOf("membarrier SYNC_CORE", TryInChild(TryMembarrier), "works", Severity::kInfo,
                               "call sites cannot be rewritten in running programs"));
  return findings;
}

}  // namespace guise::server
