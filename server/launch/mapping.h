// Mapping: the owner of one range of mapped memory.
#ifndef GUISE_SERVER_LAUNCH_MAPPING_H_
#define GUISE_SERVER_LAUNCH_MAPPING_H_

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/launch/errno_status.h"

namespace guise::server {

// Shared mapping, of a memfd or of memory of its own. Movable; unmaps on destruction. A forked child has it too.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept : base_(std::exchange(other.base_, nullptr)), size_(other.size_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping() {
    if (base_ != nullptr) munmap(base_, size_);
  }

  // `what` names the memory in the error. REQUIRES: offset is a multiple of the page size.
  static absl::StatusOr<Mapping> Map(int fd, uint64_t offset, uint64_t size, int protection, absl::string_view what) {
    void* base = mmap(nullptr, size, protection, MAP_SHARED, fd, static_cast<off_t>(offset));
    if (base == MAP_FAILED) {
      return ErrnoStatus(errno, absl::StrCat("cannot map the session's ", what), "raise `ulimit -v`");
    }
    Mapping mapping;
    mapping.base_ = base;
    mapping.size_ = size;
    return mapping;
  }

  // Zeros, shared with children alone.
  static absl::StatusOr<Mapping> MakeShared(uint64_t size) {
    void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return ErrnoStatus(errno, "cannot make memory to share with a child", "raise `ulimit -v`");
    Mapping mapping;
    mapping.base_ = base;
    mapping.size_ = size;
    return mapping;
  }

  // SAFETY: the caller names the type that lies at the start; proto/wire says which.
  template <typename T>
  T* As() const {
    return static_cast<T*>(base_);
  }

 private:
  void* base_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_MAPPING_H_
