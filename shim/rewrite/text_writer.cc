#include "shim/rewrite/text_writer.h"

#include <linux/fcntl.h>
#include <linux/mman.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/memory.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// Nobody's error.
constexpr int64_t kNotTried = INT64_MIN;

bool WriteOpened(uint64_t at, const void* bytes, size_t size) {
  constexpr uint64_t kPageMask = 4095;
  const uint64_t first = at & ~kPageMask;
  const uint64_t length = (at + size - first + kPageMask) & ~kPageMask;
  if (!MayBecomeText() || IsError(Native(Nr::mprotect, first, length, PROT_READ | PROT_WRITE))) return false;
  // SAFETY: a page that the caller knows to be mapped, and writable since the call above.
  memcpy(reinterpret_cast<void*>(at), bytes, size);
  return !IsError(Native(Nr::mprotect, first, length, PROT_READ | PROT_EXEC));
}

}  // namespace

bool MayBecomeText() {
  constexpr int kGetMdwe = 66;
  return Native(Nr::prctl, kGetMdwe, 0, 0, 0, 0) <= 0;
}

TextWriter::TextWriter(bool alone) : alone_(alone), fd_(kNotTried) {}

TextWriter::~TextWriter() {
  if (fd_ >= 0) Native(Nr::close, fd_);
}

bool TextWriter::Write(uint64_t at, const void* bytes, size_t size) {
  if (fd_ == kNotTried) fd_ = Native(Nr::openat, -1, "/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
  if (!IsError(fd_)) {
    const int64_t written = Native(Nr::pwrite64, fd_, bytes, size, at);
    // Whatever lies at that path: it is memory if it reads back.
    // SAFETY: text that the caller knows to be mapped and readable.
    if (written == static_cast<int64_t>(size) && memcmp(reinterpret_cast<void*>(at), bytes, size) == 0) return true;
  }
  return alone_ && WriteOpened(at, bytes, size);
}

}  // namespace guise::shim
