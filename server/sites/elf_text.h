// ElfText: a program or library as the server itself reads it, to say which of its bytes are syscall instructions, and
// what of the text around them can take a jump.
//
// Who says so otherwise are guests. The file may be anything, and may change while it is read: each word is checked.
#ifndef GUISE_SERVER_SITES_ELF_TEXT_H_
#define GUISE_SERVER_SITES_ELF_TEXT_H_

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/reactor/owned_fd.h"
#include "server/sites/site_plan.h"

namespace guise::server {

// The wire::BookIdentity of a file, by what stat(2) says of it.
uint64_t IdentityOf(const struct stat& status);

class ElfText {
 public:
  // Of the file at `path`, if it is the one that is meant (IdentityOf). NOT_FOUND: it is another, or none;
  // INVALID_ARGUMENT: no ELF file that says where its functions begin (.eh_frame_hdr); else the system's, and another
  // time may be better.
  static absl::StatusOr<ElfText> Open(const std::string& path, uint64_t identity);

  // Which it is, whoever has forged an identity.
  uint64_t device() const { return device_; }
  uint64_t inode() const { return inode_; }

  // If the function that the byte at `offset` of the file lies in, decoded from its beginning, has a syscall
  // instruction there, and the eight bytes from there on are `text`: its wire::BookPlan. nullopt, too, when so much has
  // been decoded that somebody wants to keep the server busy.
  std::optional<uint32_t> PlanOf(uint64_t offset, uint64_t text);

  // Calls that a process finds no room for a jump at by itself.
  struct HardSite {
    uint64_t offset, text;  // as for PlanOf()
    uint32_t plan;          // not 0
  };
  std::vector<HardSite> HardSites();

 private:
  struct Segment {
    uint64_t offset, address, size;  // size: of what is in the file
    bool executable;
  };
  struct Function {
    uint64_t start, size;  // start: an address
  };

  // By start: .eh_frame_hdr's table, relative to its own address.
  struct Entry {
    int32_t start, description;
  };

  explicit ElfText(OwnedFd fd) : fd_(std::move(fd)) {}
  bool ReadHeaders();
  bool ReadFunctions(uint64_t header);
  std::optional<size_t> EntryBefore(uint64_t address) const;
  std::optional<Function> FunctionOf(const Entry& entry) const;
  std::optional<Function> FunctionAt(uint64_t address) const;
  uint64_t StartOf(const Entry& entry) const { return header_ + static_cast<uint64_t>(int64_t{entry.start}); }
  bool Read(uint64_t offset, void* to, size_t size) const;
  std::optional<uint64_t> OffsetOf(uint64_t address) const;

  OwnedFd fd_;
  uint64_t device_ = 0, inode_ = 0;
  uint64_t decoded_ = 0;  // bytes
  std::vector<Segment> segments_;
  std::vector<Entry> functions_;
  uint64_t header_ = 0;  // the table's address
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SITES_ELF_TEXT_H_
