#include "shim/loader/elf.h"

#include <asm/stat.h>
#include <linux/mman.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/kernel.h"
#include "shim/memory.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kUserEnd = uint64_t{1} << 47;

uint64_t Down(uint64_t address) { return address & ~(kPage - 1); }
uint64_t Up(uint64_t address) { return Down(address + kPage - 1); }

struct Span {
  uint64_t start, end, align;
};

// The pages that the loadable segments cover. False: none, or not sane.
bool SpanOf(const ElfHead& elf, Span* span) {
  *span = {UINT64_MAX, 0, kPage};
  for (uint32_t i = 0; i < elf.header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf.segments[i];
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    const uint64_t end = segment.p_vaddr + segment.p_memsz;
    if (segment.p_filesz > segment.p_memsz || end < segment.p_vaddr || end > kUserEnd) return false;
    if ((segment.p_vaddr - segment.p_offset) % kPage != 0) return false;
    if (Down(segment.p_vaddr) < span->start) span->start = Down(segment.p_vaddr);
    if (Up(end) > span->end) span->end = Up(end);
    const bool power = (segment.p_align & (segment.p_align - 1)) == 0;
    if (power && segment.p_align > span->align) span->align = segment.p_align;
  }
  return span->end > span->start;
}

int ProtectionOf(const Elf64_Phdr& segment) {
  return ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) | ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
         ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

// One segment: its pages of the file, zeros to the end of the last of them, then anonymous zeros.
int64_t MapSegment(int32_t fd, const Elf64_Phdr& segment, uint64_t bias) {
  const int protection = ProtectionOf(segment);
  const uint64_t start = Down(segment.p_vaddr + bias);
  const uint64_t file_end = segment.p_vaddr + bias + segment.p_filesz;
  const uint64_t end = Up(segment.p_vaddr + bias + segment.p_memsz);
  uint64_t zeros = start;
  if (segment.p_filesz != 0) {
    const int64_t at =
        Native(Nr::mmap, start, Up(file_end) - start, protection, MAP_PRIVATE | MAP_FIXED, fd, Down(segment.p_offset));
    if (IsError(at)) return at;
    zeros = Up(file_end);
    // ABI: padzero(): only where the segment may be written.
    if (segment.p_memsz > segment.p_filesz && (protection & PROT_WRITE) != 0) {
      memset(reinterpret_cast<void*>(file_end), 0, zeros - file_end);
    }
  }
  if (end <= zeros) return 0;
  const int64_t at = Native(Nr::mmap, zeros, end - zeros, protection, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
  return IsError(at) ? at : 0;
}

// Address space for the whole file, so that its segments keep their distances.
int64_t Reserve(const ElfHead& elf, const Span& span, uint64_t* bias) {
  const uint64_t size = span.end - span.start;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  if (elf.header.e_type == ET_EXEC) {
    *bias = 0;
    const int64_t at = Native(Nr::mmap, span.start, size, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
    if (IsError(at)) return at;
    return static_cast<uint64_t>(at) == span.start ? 0 : -EEXIST;
  }
  const uint64_t slack = span.align - kPage;
  const int64_t at = Native(Nr::mmap, nullptr, size + slack, PROT_NONE, flags, -1, 0);
  if (IsError(at)) return at;
  const uint64_t first = static_cast<uint64_t>(at);
  const uint64_t base = (first + span.align - 1) & ~(span.align - 1);
  if (base > first) Native(Nr::munmap, first, base - first);
  if (base - first < slack) Native(Nr::munmap, base + size, slack - (base - first));
  *bias = base - span.start;
  return 0;
}

// Natively there is nothing between the segments.
void UnmapHoles(const ElfHead& elf, const Span& span, uint64_t bias) {
  uint64_t at = span.start;
  while (at < span.end) {
    uint64_t next = span.end;
    uint64_t covered = at;
    for (uint32_t i = 0; i < elf.header.e_phnum; ++i) {
      const Elf64_Phdr& segment = elf.segments[i];
      if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
      const uint64_t start = Down(segment.p_vaddr);
      const uint64_t end = Up(segment.p_vaddr + segment.p_memsz);
      if (start <= at && end > covered) covered = end;
      if (start > at && start < next) next = start;
    }
    if (covered > at) {
      at = covered;
      continue;
    }
    Native(Nr::munmap, at + bias, next - at);
    at = next;
  }
}

void Describe(const ElfHead& elf, Mapped* mapped) {
  mapped->start_code = UINT64_MAX;
  for (uint32_t i = 0; i < elf.header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf.segments[i];
    if (segment.p_type == PT_GNU_STACK) mapped->executable_stack = (segment.p_flags & PF_X) != 0;
    if (segment.p_type != PT_LOAD) continue;
    // ABI: load_elf_binary(): the segment that holds the file's headers shows them at this address.
    if (segment.p_offset <= elf.header.e_phoff && elf.header.e_phoff < segment.p_offset + segment.p_filesz) {
      mapped->headers = elf.header.e_phoff - segment.p_offset + segment.p_vaddr + mapped->bias;
    }
    const uint64_t start = segment.p_vaddr + mapped->bias;
    const uint64_t end = start + segment.p_filesz;
    if ((segment.p_flags & PF_X) != 0 && start < mapped->start_code) mapped->start_code = start;
    if ((segment.p_flags & PF_X) != 0 && end > mapped->end_code) mapped->end_code = end;
    if (start > mapped->start_data) mapped->start_data = start;
    if (end > mapped->end_data) mapped->end_data = end;
  }
  if (mapped->start_code == UINT64_MAX) mapped->start_code = mapped->start_data;
  if (mapped->end_code < mapped->start_code) mapped->end_code = mapped->start_code;
}

}  // namespace

const char* WhyNot(ElfError error) {
  switch (error) {
    case ElfError::kNone:
      return nullptr;
    case ElfError::kNotElf:
      return "it is neither an ELF file nor a script with a #! line";
    case ElfError::kTruncated:
      return "the ELF file is truncated";
    case ElfError::kForeign:
      return "the ELF file is for another machine; only 64-bit x86 programs run here";
    case ElfError::kHeaders:
      return "the ELF file has unusable program headers";
    case ElfError::kNoSegments:
      return "the ELF file has no loadable segment";
  }
  return nullptr;
}

ElfError ReadElf(int32_t fd, ElfHead* elf) {
  const int64_t got = Native(Nr::pread64, fd, &elf->header, sizeof(elf->header), 0);
  if (IsError(got)) return ElfError::kNotElf;
  if (got < SELFMAG || memcmp(elf->header.e_ident, ELFMAG, SELFMAG) != 0) return ElfError::kNotElf;
  if (got != sizeof(elf->header)) return ElfError::kTruncated;
  const Elf64_Ehdr& header = elf->header;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) return ElfError::kForeign;
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return ElfError::kHeaders;
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return ElfError::kHeaders;
  if (header.e_phnum == 0 || header.e_phnum > kMaxProgramHeaders) return ElfError::kHeaders;
  const int64_t size = static_cast<int64_t>(header.e_phnum * sizeof(Elf64_Phdr));
  if (Native(Nr::pread64, fd, elf->segments, size, header.e_phoff) != size) return ElfError::kTruncated;
  Span span;
  if (!SpanOf(*elf, &span)) return ElfError::kNoSegments;
  // Natively such a file dies of SIGBUS when it gets there; told beforehand, it is an error that can be read.
  struct stat status;
  if (IsError(Native(Nr::fstat, fd, &status))) return ElfError::kTruncated;
  for (uint32_t i = 0; i < header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf->segments[i];
    if (segment.p_type != PT_LOAD || segment.p_filesz == 0) continue;
    const auto file_size = static_cast<uint64_t>(status.st_size);
    if (segment.p_offset > file_size || segment.p_filesz > file_size - segment.p_offset) return ElfError::kTruncated;
  }
  return ElfError::kNone;
}

int64_t ReadInterpreter(int32_t fd, const ElfHead& elf, char (&name)[kMaxInterpreter]) {
  for (uint32_t i = 0; i < elf.header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf.segments[i];
    if (segment.p_type != PT_INTERP) continue;
    if (segment.p_filesz < 2 || segment.p_filesz > sizeof(name)) return -ENOEXEC;
    const int64_t got = Native(Nr::pread64, fd, name, segment.p_filesz, segment.p_offset);
    if (got != static_cast<int64_t>(segment.p_filesz)) return IsError(got) ? got : -EIO;
    if (name[segment.p_filesz - 1] != 0) return -ENOEXEC;
    return static_cast<int64_t>(Length(name));
  }
  return 0;
}

int64_t MapElf(int32_t fd, const ElfHead& elf, Mapped* mapped) {
  *mapped = {};
  Span span;
  if (!SpanOf(elf, &span)) return -ENOEXEC;
  if (const int64_t reserved = Reserve(elf, span, &mapped->bias); IsError(reserved)) return reserved;
  for (uint32_t i = 0; i < elf.header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf.segments[i];
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    if (const int64_t result = MapSegment(fd, segment, mapped->bias); IsError(result)) return result;
  }
  UnmapHoles(elf, span, mapped->bias);
  mapped->entry = elf.header.e_entry + mapped->bias;
  Describe(elf, mapped);
  return 0;
}

}  // namespace guise::shim
