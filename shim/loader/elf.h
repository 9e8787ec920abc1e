// Reading ELF files as the kernel reads them (fs/binfmt_elf.c). Every byte of them is hostile.
#ifndef GUISE_SHIM_LOADER_ELF_H_
#define GUISE_SHIM_LOADER_ELF_H_

#include <linux/elf.h>
#include <stddef.h>
#include <stdint.h>

namespace guise::shim {

enum class ElfError { kNone, kNotElf, kTruncated, kForeign, kHeaders, kNoSegments };

// For people.
const char* WhyNot(ElfError error);

// ABI: ELF_MIN_ALIGN bounds the program headers to 64 KiB; more than this many are refused here, fewer than Linux.
inline constexpr uint32_t kMaxProgramHeaders = 128;
inline constexpr size_t kMaxInterpreter = 4096;

// Linkers put the program headers right behind the header, and the interpreter's name behind those: one read has it
// all.
struct ElfHead {
  uint64_t read;  // so many bytes from `header` on are those that the file begins with
  Elf64_Ehdr header;
  Elf64_Phdr segments[kMaxProgramHeaders];
  char interpreter[kMaxInterpreter];  // where it lies elsewhere
};

// Reads what a file, ELF or not, begins with: the number of bytes, or -errno.
int64_t ReadStart(int32_t fd, ElfHead* elf);
inline const char* StartOf(const ElfHead& elf) { return reinterpret_cast<const char*>(&elf.header); }
// The rest, after ReadStart. `size` is the file's.
ElfError ReadRest(int32_t fd, uint64_t size, ElfHead* elf);
ElfError ReadElf(int32_t fd, ElfHead* elf);

// The name in PT_INTERP: its length, 0 for none, or -errno. `name` points into the head.
int64_t ReadInterpreter(int32_t fd, ElfHead* elf, const char** name);

// A mapped file.
struct Mapped {
  uint64_t bias;  // added to the file's addresses
  uint64_t entry;
  uint64_t file_page;  // one that shows the file
  uint64_t headers;    // address of the program headers, 0 when no segment holds them
  uint64_t start_code, end_code, start_data, end_data;
  uint64_t end;  // of all segments' memory
  bool executable_stack;
  const Elf64_Phdr* open;
};

// Of a segment that may be executed and not be written.
inline bool IsText(const Elf64_Phdr& segment) {
  return segment.p_type == PT_LOAD && (segment.p_flags & (PF_X | PF_W)) == PF_X;
}

// Maps all segments with their own protections. The one that `mapped->open` names, which may be null, is mapped
// writable instead of executable where that may be had; else `open` becomes null. fd stays open. 0 or -errno.
int64_t MapElf(int32_t fd, const ElfHead& elf, Mapped* mapped);

}  // namespace guise::shim

#endif  // GUISE_SHIM_LOADER_ELF_H_
