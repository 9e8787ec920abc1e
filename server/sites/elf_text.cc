#include "server/sites/elf_text.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/wire/book.h"
#include "server/launch/errno_status.h"
#include "server/sites/site_plan.h"

namespace guise::server {
namespace {

constexpr uint64_t kSyscall = 0x050f;
constexpr size_t kMostSegments = 64;
constexpr uint32_t kMostFunctions = 1u << 20;
// Of a function in front of a site: more is no C library's.
constexpr uint64_t kMostDecoded = 64 << 10;
constexpr uint64_t kMostDecodedInAll = 4 << 20;
// Of one segment, where all of it is looked through.
constexpr uint64_t kMostText = 32 << 20;

}  // namespace

uint64_t IdentityOf(const struct stat& status) {
  return wire::BookIdentity({.device = status.st_dev,
                             .inode = status.st_ino,
                             .size = static_cast<uint64_t>(status.st_size),
                             .modified = static_cast<uint64_t>(status.st_mtim.tv_sec),
                             .modified_nanos = static_cast<uint64_t>(status.st_mtim.tv_nsec),
                             .changed = static_cast<uint64_t>(status.st_ctim.tv_sec),
                             .changed_nanos = static_cast<uint64_t>(status.st_ctim.tv_nsec)});
}

absl::StatusOr<ElfText> ElfText::Open(const std::string& path, uint64_t identity) {
  // What is no regular file must not be opened: that alone does something to pipes and devices.
  const OwnedFd name(open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status = {};
  if (!name || fstat(name.get(), &status) != 0) return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  if (!S_ISREG(status.st_mode) || IdentityOf(status) != identity) {
    return absl::NotFoundError(absl::StrCat(path, " is not the file that was meant"));
  }
  OwnedFd fd(open(absl::StrCat("/proc/self/fd/", name.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, absl::StrCat("cannot read ", path));
  ElfText text(std::move(fd));
  text.device_ = status.st_dev;
  text.inode_ = status.st_ino;
  if (!text.ReadHeaders()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " does not say where its functions begin"));
  }
  return text;
}

bool ElfText::Read(uint64_t offset, void* to, size_t size) const {
  if (offset > INT64_MAX) return false;
  return pread(fd_.get(), to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

bool ElfText::ReadHeaders() {
  Elf64_Ehdr head;
  if (!Read(0, &head, sizeof(head)) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
      head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_machine != EM_X86_64 || head.e_phentsize != sizeof(Elf64_Phdr) ||
      head.e_phnum > kMostSegments) {
    return false;
  }
  std::vector<Elf64_Phdr> all(head.e_phnum);
  if (!Read(head.e_phoff, all.data(), all.size() * sizeof(Elf64_Phdr))) return false;
  for (const Elf64_Phdr& one : all) {
    if (one.p_type != PT_LOAD) continue;
    segments_.push_back({.offset = one.p_offset,
                         .address = one.p_vaddr,
                         .size = one.p_filesz,
                         .executable = (one.p_flags & PF_X) != 0});
  }
  const auto frames =
      std::find_if(all.begin(), all.end(), [](const Elf64_Phdr& one) { return one.p_type == PT_GNU_EH_FRAME; });
  return frames != all.end() && ReadFunctions(frames->p_vaddr);
}

// ABI: the Linux Standard Base, "Exception Frames": .eh_frame_hdr, with the encodings that linkers write.
bool ElfText::ReadFunctions(uint64_t header) {
  struct Head {
    uint8_t version, frame_encoding, count_encoding, table_encoding;
    int32_t frame;
    uint32_t count;
  } head;
  static_assert(sizeof(head) == 12);
  constexpr uint8_t kUdata4 = 0x03;
  constexpr uint8_t kDataRelativeSdata4 = 0x3b;
  const std::optional<uint64_t> at = OffsetOf(header);
  if (!at.has_value() || !Read(*at, &head, sizeof(head)) || head.version != 1 || head.count_encoding != kUdata4 ||
      head.table_encoding != kDataRelativeSdata4 || head.count > kMostFunctions) {
    return false;
  }
  header_ = header;
  functions_.resize(head.count);
  return Read(*at + sizeof(head), functions_.data(), functions_.size() * sizeof(Entry)) &&
         std::is_sorted(functions_.begin(), functions_.end(),
                        [](const Entry& a, const Entry& b) { return a.start < b.start; });
}

std::optional<uint64_t> ElfText::OffsetOf(uint64_t address) const {
  for (const Segment& segment : segments_) {
    if (address - segment.address < segment.size) return segment.offset + (address - segment.address);
  }
  return std::nullopt;
}

// Of the last function that begins at `address` or before.
std::optional<size_t> ElfText::EntryBefore(uint64_t address) const {
  const auto relative = static_cast<int64_t>(address - header_);
  const auto after = std::upper_bound(functions_.begin(), functions_.end(), relative,
                                      [](int64_t wanted, const Entry& entry) { return wanted < entry.start; });
  if (after == functions_.begin()) return std::nullopt;
  return static_cast<size_t>(after - functions_.begin()) - 1;
}

std::optional<ElfText::Function> ElfText::FunctionOf(const Entry& entry) const {
  const uint64_t start = StartOf(entry);
  const uint64_t description = header_ + static_cast<uint64_t>(int64_t{entry.description});
  // An FDE whose addresses are encoded as pc-relative sdata4, as compilers do it, says where it begins once more.
  struct Fde {
    uint32_t length, cie;
    int32_t start;
    uint32_t size;
  } fde;
  const std::optional<uint64_t> at = OffsetOf(description);
  if (!at.has_value() || !Read(*at, &fde, sizeof(fde)) || fde.cie == 0) return std::nullopt;
  if (description + offsetof(Fde, start) + static_cast<uint64_t>(int64_t{fde.start}) != start) return std::nullopt;
  return Function{start, fde.size};
}

std::optional<ElfText::Function> ElfText::FunctionAt(uint64_t address) const {
  const std::optional<size_t> entry = EntryBefore(address);
  if (!entry.has_value()) return std::nullopt;
  const std::optional<Function> function = FunctionOf(functions_[*entry]);
  return function.has_value() && address - function->start < function->size ? function : std::nullopt;
}

std::optional<uint32_t> ElfText::PlanOf(uint64_t offset, uint64_t text) {
  const auto segment = std::find_if(segments_.begin(), segments_.end(), [&](const Segment& one) {
    return one.executable && offset - one.offset < one.size;
  });
  if (segment == segments_.end()) return std::nullopt;
  const uint64_t site = segment->address + (offset - segment->offset);
  const std::optional<Function> function = FunctionAt(site);
  if (!function.has_value() || site - function->start > kMostDecoded) return std::nullopt;
  const uint64_t before = site - function->start;
  if (before > offset - segment->offset || function->size - before < kCallSize) return std::nullopt;
  decoded_ += before;
  if (decoded_ > kMostDecodedInAll) return std::nullopt;
  std::vector<uint8_t> code(before + sizeof(text));
  if (!Read(offset - before, code.data(), code.size())) return std::nullopt;
  uint64_t there;
  memcpy(&there, code.data() + before, sizeof(there));
  if (there != text || (there & 0xffff) != kSyscall) return std::nullopt;

  const std::optional<size_t> ahead = AheadOf(absl::MakeConstSpan(code.data(), before));
  if (!ahead.has_value()) return std::nullopt;
  return static_cast<uint32_t>(*ahead << wire::kBookAheadShift);
}

std::vector<ElfText::HardSite> ElfText::HardSites() {
  std::vector<HardSite> hard;
  for (const Segment& segment : segments_) {
    if (!segment.executable || segment.size > kMostText) continue;
    std::vector<uint8_t> text(segment.size);
    if (!Read(segment.offset, text.data(), text.size())) continue;
    const auto bytes = absl::MakeConstSpan(text);
    for (size_t at = 0; at + sizeof(HardSite::text) <= bytes.size(); ++at) {
      HardSite site = {.offset = segment.offset + at, .text = 0, .plan = 0};
      memcpy(&site.text, bytes.data() + at, sizeof(site.text));
      if ((site.text & 0xffff) != kSyscall || !IsHard(bytes.subspan(at + kCallSize))) continue;
      site.plan = PlanOf(site.offset, site.text).value_or(0);
      if (site.plan != 0) hard.push_back(site);
    }
  }
  return hard;
}

}  // namespace guise::server
