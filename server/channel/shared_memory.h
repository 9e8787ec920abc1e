// SharedMemory: one memfd of a session, sealed and mapped. SessionMemories: request and reply memory, with their
// headers written (proto/wire/layout.h). The third memory is the store's own.
//
// Thread safety: immutable but for the bytes.
#ifndef GUISE_SERVER_CHANNEL_SHARED_MEMORY_H_
#define GUISE_SERVER_CHANNEL_SHARED_MEMORY_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "proto/wire/layout.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

class SharedMemory {
 public:
  enum class Access { kRead, kReadWrite };  // of this process's mapping; the fd can do both

  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  // A memfd called `name` of `size` zero bytes, sealed against another size and against more seals. Sparse: costs what
  // is touched. RESOURCE_EXHAUSTED: fds or address space.
  static absl::StatusOr<SharedMemory> Create(const char* name, uint64_t size, Access access);

  int fd() const { return fd_.get(); }
  // Whoever else holds the fd may write at any time: read through wire::Cell or copy once.
  char* data() const { return data_; }
  uint64_t size() const { return size_; }
  ino_t inode() const { return inode_; }
  dev_t device() const { return device_; }

 private:
  OwnedFd fd_;
  char* data_ = nullptr;
  uint64_t size_ = 0;
  ino_t inode_ = 0;
  dev_t device_ = 0;
};

struct SessionMemories {
  // RESOURCE_EXHAUSTED: fds or address space.
  static absl::StatusOr<std::unique_ptr<SessionMemories>> Create(uint32_t session, uint64_t reply_size);

  // Before the first guest: as docs/WIRE.md says. REQUIRES: they fit wire::kTextRulesSize.
  absl::Status WriteTextRules(const std::string& rules);

  // Reply memory through a read-only description, one that is not kept here. None, and errno.
  OwnedFd OpenReplyForGuests() const;
  // Whether somebody has one of those, open or mapped, in whatever namespace; also when the kernel does not say.
  bool IsHeldByGuests() const;

  SharedMemory request;  // mapped read-only: the server cannot harm what guests write
  SharedMemory reply;

 private:
  OwnedFd reply_alone_;  // such a description that nobody else has
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CHANNEL_SHARED_MEMORY_H_
