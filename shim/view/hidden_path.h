// Where a path meets something hidden, found as the kernel walks it: a name at a time, links followed.
#ifndef GUISE_SHIM_VIEW_HIDDEN_PATH_H_
#define GUISE_SHIM_VIEW_HIDDEN_PATH_H_

#include <stddef.h>
#include <stdint.h>

namespace guise::shim {

// Whether the object that the path leads to is hidden; what it leads through is not looked at.
bool IsHidden(int32_t dir_fd, uint64_t path, bool follows);

// Whether the object that the path leads to may be hidden, by the path's last name alone, links not followed there.
// False: it is not.
bool MayEndHidden(uint64_t path);

// What a call does with a link that its path ends with.
enum class LastLink {
  kFollowed,
  kTaken,    // the link itself, but followed with a slash behind it
  kNeither,  // the name itself, in its directory: it is made, taken away or moved
};

// 8 KiB, for the slow ways only.
class HiddenPath {
 public:
  static constexpr size_t kSize = 4096;  // PATH_MAX

  // Walks the path, which is of the guest or the shim's own. False: nothing hidden is met before its end, or before
  // the kernel's own word on it; the other functions are then not to be called.
  bool Meets(int32_t dir_fd, uint64_t path, LastLink link);

  // Whether it ends with what is hidden; with one slash or more behind.
  bool IsLast() const { return rest_[SkipSlashes(from_)] == 0; }
  bool EndsWithSlash() const { return rest_[from_] == '/'; }
  // Whether nothing can be made in the directory of what is hidden. REQUIRES: Absent() has not been called.
  bool IsReadOnly();
  // The path, with a name that is not there in the place of the hidden one; null: it would be too long. Of one walk,
  // once.
  const char* Absent();

 private:
  size_t SkipSlashes(size_t at) const {
    while (rest_[at] == '/') ++at;
    return at;
  }
  bool Append(const char* text, size_t size);

  int32_t dir_fd_ = 0;
  size_t directory_size_ = 0;  // of what done_ begins with: the directory of the last name
  size_t done_size_ = 0;
  size_t from_ = 0;   // where in rest_ the rest begins
  char done_[kSize];  // what has been walked, without links
  char rest_[kSize];  // what has not; at its end
};

// Whether the path goes through a hidden directory and back by "..".
bool GoesThroughHidden(int32_t dir_fd, uint64_t path);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_HIDDEN_PATH_H_
