#include "shim/view/fd_moves.h"

#include <linux/fcntl.h>

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/syscall.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr int kSession = 3;
// Guarded fds are low: fork copies the table up to there. More are looked through for nobody.
constexpr int32_t kMostFds = 1 << 16;
constexpr uint64_t kBegun = uint64_t{1} << 32;

struct File {
  uint64_t device, inode;  // 0: none

  friend bool operator==(const File& a, const File& b) { return a.device == b.device && a.inode == b.inode; }
};

File FileAt(int32_t fd) {
  struct stat status;
  if (IsError(Native(Nr::fstat, fd, &status))) return {};
  return {status.st_dev, status.st_ino};
}

File g_files[kSession];
File g_program;
wire::Cell<uint64_t> g_moves;  // begun in the high half, ended in the low one

bool IsQuiet(uint64_t moves) { return moves >> 32 == (moves & 0xffffffff); }

}  // namespace

void NoteSessionFiles(const ProcessState& process) {
  for (int i = 0; i < kSession; ++i) g_files[i] = FileAt(SessionFds(process).fds[i]);
}

void KeepProgramFile(ProcessState* process, int32_t fd, const struct stat& status) {
  g_program = {status.st_dev, status.st_ino};
  // Next to the others: what a fork copies of the table, and where stubs look for them.
  int64_t kept = Native(Nr::fcntl, fd, F_DUPFD_CLOEXEC, process->reply_fd + 1);
  if (IsError(kept)) {
    // They are the highest that there may be.
    int32_t lowest = process->image_fd;
    for (const int32_t other : SessionFds(*process)) lowest = other < lowest ? other : lowest;
    kept = Native(Nr::fcntl, fd, F_DUPFD_CLOEXEC, lowest - 1);
  }
  process->program_fd = IsError(kept) ? -1 : static_cast<int32_t>(kept);
  Native(Nr::close, fd);
}

FdMove::FdMove() { g_moves.Add(kBegun); }
FdMove::~FdMove() { g_moves.Add(1); }

uint64_t FdMoves() { return g_moves.Acquire(); }

void FindGuardedFds(ProcessState* process, uint64_t before, bool is_alone) {
  const uint64_t now = FdMoves();
  if (now == before && IsQuiet(now)) return;
  if (is_alone) g_moves.StoreRelaxed(0);
  // What else is this file may be the guest's own.
  if (!(g_program == FileAt(process->program_fd))) process->program_fd = -1;
  int32_t* const fds[kSession] = {&process->image_fd, &process->request_fd, &process->reply_fd};
  bool is_right[kSession];
  for (int i = 0; i < kSession; ++i) is_right[i] = g_files[i] == FileAt(*fds[i]);
  for (int32_t fd = 0; fd < kMostFds; ++fd) {
    const File file = FileAt(fd);
    if (file.inode == 0) continue;
    for (int i = 0; i < kSession; ++i) {
      if (!(file == g_files[i]) || (is_right[i] && fd == *fds[i])) continue;
      if (is_right[i]) {
        Native(Nr::close, fd);
      } else {
        *fds[i] = fd;
        is_right[i] = true;
      }
    }
  }
}

}  // namespace guise::shim
