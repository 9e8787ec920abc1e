// ElfText: a program or library as the server itself reads it, to say which of its bytes are syscall instructions.
//
// Who says so otherwise are guests. The file may be anything, and may change while it is read: each word is checked.
#ifndef GUISE_SERVER_SITES_ELF_TEXT_H_
#define GUISE_SERVER_SITES_ELF_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/reactor/owned_fd.h"

namespace guise::server {

class ElfText {
 public:
  // nullopt: the file at `path` is not that one any more (wire::BookIdentity), or cannot be read, or does not say where
  // its functions begin (.eh_frame_hdr).
  static std::optional<ElfText> Open(const std::string& path, uint64_t identity);

  // Whether the function that the byte at `offset` of the file lies in, decoded from its beginning, has a syscall
  // instruction there, and the eight bytes from there on are `text`.
  bool HasSyscall(uint64_t offset, uint64_t text) const;

 private:
  struct Segment {
    uint64_t offset, address, size;  // size: of what is in the file
    bool executable;
  };
  struct Function {
    uint64_t start, size;  // start: an address
  };

  explicit ElfText(OwnedFd fd) : fd_(std::move(fd)) {}
  bool ReadHeaders();
  bool ReadFunctions(uint64_t header);
  std::optional<Function> FunctionAt(uint64_t address) const;
  bool Read(uint64_t offset, void* to, size_t size) const;
  std::optional<uint64_t> OffsetOf(uint64_t address) const;

  OwnedFd fd_;
  std::vector<Segment> segments_;
  // By start: .eh_frame_hdr's table, relative to its own address.
  struct Entry {
    int32_t start, description;
  };
  std::vector<Entry> functions_;
  uint64_t header_ = 0;  // the table's address
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SITES_ELF_TEXT_H_
