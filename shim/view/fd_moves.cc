#include "shim/view/fd_moves.h"

#include <asm/stat.h>

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/syscall.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr int kGuarded = 3;
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

File g_files[kGuarded];
wire::Cell<uint64_t> g_moves;  // begun in the high half, ended in the low one

bool IsQuiet(uint64_t moves) { return moves >> 32 == (moves & 0xffffffff); }

}  // namespace

void NoteGuardedFiles(const ProcessState& process) {
  const int32_t fds[kGuarded] = {process.image_fd, process.request_fd, process.reply_fd};
  for (int i = 0; i < kGuarded; ++i) g_files[i] = FileAt(fds[i]);
}

FdMove::FdMove() { g_moves.Add(kBegun); }
FdMove::~FdMove() { g_moves.Add(1); }

uint64_t FdMoves() { return g_moves.Acquire(); }

void FindGuardedFds(ProcessState* process, uint64_t before, bool is_alone) {
  const uint64_t now = FdMoves();
  if (now == before && IsQuiet(now)) return;
  if (is_alone) g_moves.StoreRelaxed(0);
  int32_t* const fds[kGuarded] = {&process->image_fd, &process->request_fd, &process->reply_fd};
  bool is_right[kGuarded];
  for (int i = 0; i < kGuarded; ++i) is_right[i] = g_files[i] == FileAt(*fds[i]);
  for (int32_t fd = 0; fd < kMostFds; ++fd) {
    const File file = FileAt(fd);
    if (file.inode == 0) continue;
    for (int i = 0; i < kGuarded; ++i) {
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
