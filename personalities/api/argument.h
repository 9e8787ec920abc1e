// Arguments of calls: what a guest passed, and what a handler passes on. Types carry the meaning; nothing here can be
// dereferenced by mistake.
#ifndef GUISE_PERSONALITIES_API_ARGUMENT_H_
#define GUISE_PERSONALITIES_API_ARGUMENT_H_

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace guise::api {

// An address in the guest's memory. Arithmetic, no dereference.
template <typename T>
class GuestPtr {
 public:
  constexpr GuestPtr() = default;
  explicit constexpr GuestPtr(uint64_t address) : address_(address) {}
  constexpr uint64_t address() const { return address_; }
  constexpr bool is_null() const { return address_ == 0; }
  constexpr GuestPtr operator+(int64_t elements) const {
    return GuestPtr(address_ + static_cast<uint64_t>(elements) * sizeof(T));
  }
  friend constexpr bool operator==(GuestPtr, GuestPtr) = default;

 private:
  uint64_t address_ = 0;
};

// A descriptor in the guest's table, or AT_FDCWD. Means nothing in the server.
class GuestFd {
 public:
  constexpr GuestFd() = default;
  explicit constexpr GuestFd(int number) : number_(number) {}
  constexpr int number() const { return number_; }
  friend constexpr bool operator==(GuestFd, GuestFd) = default;

 private:
  int number_ = -1;
};

// The copy of a Path or Str argument. Not there: the guest passed NULL, or what it passed could not be read; a native
// call with the guest's own pointer then fails as Linux does.
struct Path {
  std::string_view text;
  bool is_there() const { return text.data() != nullptr; }
};

// The copy of a buffer, array or struct argument; may be shorter than the guest said when it was too long to copy.
struct Bytes {
  std::string_view data;
  bool is_there() const { return data.data() != nullptr; }
};

// Room for what a native call writes: in the guest's inbound payload. Read with Call::Read() after the Run.
template <typename T>
class Room {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 0xffff);

 public:
  static constexpr uint32_t kNoOffset = 0xffffffff;
  constexpr Room() = default;
  explicit constexpr Room(uint32_t offset, uint32_t first = kNoOffset) : offset_(offset), first_(first) {}
  constexpr uint32_t offset() const { return offset_; }
  // Where in the outbound payload what is there before the call lies; kNoOffset: nothing.
  constexpr uint32_t first() const { return first_; }

 private:
  uint32_t offset_ = kNoOffset;
  uint32_t first_ = kNoOffset;
};

// An argument of a native call.
struct Argument {
  enum class Space : uint8_t {
    kValue,     // as it is: a number, a descriptor, the guest's own pointer
    kOutbound,  // offset into the outbound payload, which the server wrote
    kInbound,   // offset into the inbound payload, which the native call may write
    kInOut,     // as kInbound; before the call `length` bytes from `first` of the outbound payload are put there
    kNoRoom,    // the payload was full: a Run with it fails with ENOMEM and is not done
  };
  static constexpr uint8_t kNoOrigin = 0xff;
  static constexpr uint32_t kNoOffset = 0xffffffff;

  uint64_t value = 0;
  Space space = Space::kValue;
  uint8_t origin = kNoOrigin;  // the argument of the guest's call that this one is
  uint16_t length = 0;         // kInOut
  uint32_t first = 0;          // kInOut

  constexpr Argument() = default;
  // Sign-extends, as the kernel's callers do.
  template <typename T>
  requires std::is_integral_v<T>
  constexpr Argument(T number) : value(static_cast<uint64_t>(number)) {}  // NOLINT: an argument is what is passed
  constexpr Argument(GuestFd fd) : value(static_cast<uint64_t>(fd.number())) {}  // NOLINT
  template <typename T>
  constexpr Argument(GuestPtr<T> pointer) : value(pointer.address()) {}  // NOLINT
  template <typename T>
  constexpr Argument(Room<T> room) : Argument(Space::kInbound, room.offset()) {  // NOLINT
    if (room.first() == Room<T>::kNoOffset || space == Space::kNoRoom) return;
    space = Space::kInOut;
    first = room.first();
    length = sizeof(T);
  }
  constexpr Argument(Space in, uint32_t offset) : value(offset), space(offset == kNoOffset ? Space::kNoRoom : in) {}

  friend constexpr bool operator==(const Argument&, const Argument&) = default;
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_ARGUMENT_H_
