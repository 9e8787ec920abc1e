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
constexpr size_t kFirstRead = 1024;
static_assert(kFirstRead <= offsetof(ElfHead, interpreter) - offsetof(ElfHead, header));
constexpr size_t kSegmentsOffset = offsetof(ElfHead, segments) - offsetof(ElfHead, header);

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

int64_t MapAt(uint64_t start, uint64_t size, int protection, int flags, int32_t fd, uint64_t offset) {
  const int64_t at = Native(Nr::mmap, start, size, protection, MAP_PRIVATE | MAP_FIXED | flags, fd, offset);
  return IsError(at) ? at : 0;
}

// One segment: its pages of the file, unless they are mapped, zeros to the end of the last of them, then anonymous
// zeros.
int64_t MapSegment(int32_t fd, const Elf64_Phdr& segment, int protection, uint64_t bias, bool is_mapped) {
  const uint64_t start = Down(segment.p_vaddr + bias);
  const uint64_t file_end = segment.p_vaddr + bias + segment.p_filesz;
  const uint64_t end = Up(segment.p_vaddr + bias + segment.p_memsz);
  uint64_t zeros = start;
  if (segment.p_filesz != 0) {
    zeros = Up(file_end);
    const int64_t error = is_mapped ? 0 : MapAt(start, zeros - start, protection, 0, fd, Down(segment.p_offset));
    if (error != 0) return error;
    // ABI: padzero(): only where the segment may be written.
    if (segment.p_memsz > segment.p_filesz && (ProtectionOf(segment) & PROT_WRITE) != 0) {
      memset(reinterpret_cast<void*>(file_end), 0, zeros - file_end);
    }
  }
  return end <= zeros ? 0 : MapAt(zeros, end - zeros, protection, MAP_ANONYMOUS, -1, 0);
}

// The segment that the addresses of all can be taken with, mapped at first for the whole file, as fs/binfmt_elf.c does
// it: a mapping less. Null: they have to be reserved before.
const Elf64_Phdr* FirstSegment(const ElfHead& elf, const Span& span) {
  for (uint32_t i = 0; i < elf.header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf.segments[i];
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    const bool is_aligned = elf.header.e_type == ET_EXEC || span.align == kPage;
    return is_aligned && segment.p_filesz != 0 && Down(segment.p_vaddr) == span.start ? &segment : nullptr;
  }
  return nullptr;
}

// Address space for the whole file, so that its segments keep their distances.
int64_t TakeAddresses(int32_t fd, const ElfHead& elf, const Span& span, const Elf64_Phdr* first, uint64_t* bias) {
  const uint64_t size = span.end - span.start;
  const bool is_fixed = elf.header.e_type == ET_EXEC;
  const int protection = first == nullptr ? PROT_NONE : ProtectionOf(*first);
  const int flags =
      MAP_PRIVATE | (is_fixed ? MAP_FIXED_NOREPLACE : 0) | (first == nullptr ? MAP_ANONYMOUS | MAP_NORESERVE : 0);
  const uint64_t slack = is_fixed ? 0 : span.align - kPage;
  const int64_t at = Native(Nr::mmap, is_fixed ? span.start : 0, size + slack, protection, flags,
                            first == nullptr ? -1 : fd, first == nullptr ? 0 : Down(first->p_offset));
  if (IsError(at)) return at;
  const auto got = static_cast<uint64_t>(at);
  // A kernel before 4.17 takes the address for a hint.
  if (is_fixed && got != span.start) return -EEXIST;
  const uint64_t base = is_fixed ? got : (got + span.align - 1) & ~(span.align - 1);
  if (base > got) Native(Nr::munmap, got, base - got);
  if (base - got < slack) Native(Nr::munmap, base + size, slack - (base - got));
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
    if (mapped->file_page == 0 && segment.p_filesz != 0) mapped->file_page = Down(start);
    if ((segment.p_flags & PF_X) != 0 && start < mapped->start_code) mapped->start_code = start;
    if ((segment.p_flags & PF_X) != 0 && end > mapped->end_code) mapped->end_code = end;
    if (start > mapped->start_data) mapped->start_data = start;
    if (end > mapped->end_data) mapped->end_data = end;
    if (start + segment.p_memsz > mapped->end) mapped->end = start + segment.p_memsz;
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

int64_t ReadStart(int32_t fd, ElfHead* elf) {
  const int64_t got = Native(Nr::pread64, fd, &elf->header, kFirstRead, 0);
  elf->read = IsError(got) ? 0 : static_cast<uint64_t>(got);
  return got;
}

ElfError ReadRest(int32_t fd, uint64_t size, ElfHead* elf) {
  if (elf->read < SELFMAG || memcmp(elf->header.e_ident, ELFMAG, SELFMAG) != 0) return ElfError::kNotElf;
  if (elf->read < sizeof(elf->header)) return ElfError::kTruncated;
  const Elf64_Ehdr& header = elf->header;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) return ElfError::kForeign;
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return ElfError::kHeaders;
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return ElfError::kHeaders;
  if (header.e_phnum == 0 || header.e_phnum > kMaxProgramHeaders) return ElfError::kHeaders;
  const uint64_t headers = header.e_phnum * sizeof(Elf64_Phdr);
  if (header.e_phoff != kSegmentsOffset || header.e_phoff + headers > elf->read) {
    elf->read = sizeof(header);
    const int64_t got = Native(Nr::pread64, fd, elf->segments, headers, header.e_phoff);
    if (got != static_cast<int64_t>(headers)) return ElfError::kTruncated;
  }
  Span span;
  if (!SpanOf(*elf, &span)) return ElfError::kNoSegments;
  // Natively such a file dies of SIGBUS when it gets there; told beforehand, it is an error that can be read.
  for (uint32_t i = 0; i < header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf->segments[i];
    if (segment.p_type != PT_LOAD || segment.p_filesz == 0) continue;
    if (segment.p_offset > size || segment.p_filesz > size - segment.p_offset) return ElfError::kTruncated;
  }
  return ElfError::kNone;
}

ElfError ReadElf(int32_t fd, ElfHead* elf) {
  struct stat status;
  if (IsError(ReadStart(fd, elf)) || IsError(Native(Nr::fstat, fd, &status))) return ElfError::kNotElf;
  return ReadRest(fd, static_cast<uint64_t>(status.st_size), elf);
}

int64_t ReadInterpreter(int32_t fd, ElfHead* elf, const char** name) {
  for (uint32_t i = 0; i < elf->header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf->segments[i];
    if (segment.p_type != PT_INTERP) continue;
    if (segment.p_filesz < 2 || segment.p_filesz > sizeof(elf->interpreter)) return -ENOEXEC;
    if (segment.p_offset < elf->read && segment.p_filesz <= elf->read - segment.p_offset) {
      *name = StartOf(*elf) + segment.p_offset;
    } else {
      const int64_t got = Native(Nr::pread64, fd, elf->interpreter, segment.p_filesz, segment.p_offset);
      if (got != static_cast<int64_t>(segment.p_filesz)) return IsError(got) ? got : -EIO;
      *name = elf->interpreter;
    }
    if ((*name)[segment.p_filesz - 1] != 0) return -ENOEXEC;
    return static_cast<int64_t>(Length(*name));
  }
  return 0;
}

int64_t MapElf(int32_t fd, const ElfHead& elf, Mapped* mapped) {
  const Elf64_Phdr* open = mapped->open;
  *mapped = {};
  Span span;
  if (!SpanOf(elf, &span)) return -ENOEXEC;
  const Elf64_Phdr* const first = FirstSegment(elf, span);
  if (first == open) open = nullptr;
  if (const int64_t error = TakeAddresses(fd, elf, span, first, &mapped->bias)) return error;
  for (uint32_t i = 0; i < elf.header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf.segments[i];
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    constexpr int kOpen = PROT_READ | PROT_WRITE;
    if (&segment == open && MapSegment(fd, segment, kOpen, mapped->bias, false) == 0) continue;
    // What may be written counts as data, which is limited.
    if (&segment == open) open = nullptr;
    const int64_t error = MapSegment(fd, segment, ProtectionOf(segment), mapped->bias, &segment == first);
    if (error != 0) return error;
  }
  UnmapHoles(elf, span, mapped->bias);
  mapped->entry = elf.header.e_entry + mapped->bias;
  Describe(elf, mapped);
  mapped->open = open;
  return 0;
}

}  // namespace guise::shim
