// Writes to memory that is executable and not writable, and leaves it so.
#ifndef GUISE_SHIM_REWRITE_TEXT_WRITER_H_
#define GUISE_SHIM_REWRITE_TEXT_WRITER_H_

#include <stddef.h>
#include <stdint.h>

namespace guise::shim {

// Whether what is writable may become executable later: a program may have barred that, for itself and for those that
// it runs. ABI: PR_SET_MDWE of prctl(2).
bool MayBecomeText();

// By /proc/self/mem, which the kernel lets write to a private mapping whatever its protection (mm/memory.c,
// FOLL_FORCE). Where that is not to be had, and no other thread runs, by making the pages writable for the moment.
class TextWriter {
 public:
  explicit TextWriter(bool alone);
  ~TextWriter();
  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;

  // False: nothing was written.
  bool Write(uint64_t at, const void* bytes, size_t size);
  bool WriteByte(uint64_t at, uint8_t byte) { return Write(at, &byte, 1); }

 private:
  const bool alone_;
  int64_t fd_;
};

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_TEXT_WRITER_H_
