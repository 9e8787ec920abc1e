// Port: what stands behind a Call. The server's conversation implements it; personalities use Call alone.
#ifndef GUISE_PERSONALITIES_API_PORT_H_
#define GUISE_PERSONALITIES_API_PORT_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "personalities/api/argument.h"
#include "personalities/api/identity.h"
#include "personalities/api/inode.h"
#include "personalities/api/loans.h"
#include "personalities/api/result.h"

namespace guise::api {

class Call;

// Memory for the coroutine frames of one slot: a stack of 4 KiB. What does not fit goes to the heap and is counted.
// Frames are freed in the reverse order of their making, or all at once; a hole stays until all are gone.
class FrameArena {
 public:
  static constexpr size_t kBytes = 4096;

  FrameArena() = default;
  FrameArena(const FrameArena&) = delete;
  FrameArena& operator=(const FrameArena&) = delete;

  void* Allocate(size_t size);
  static void Free(void* frame);

  uint64_t heap_frames() const { return heap_frames_; }  // ever made
  size_t live() const { return live_; }                  // frames, here and on the heap
  size_t peak() const { return peak_; }                  // bytes ever used here

 private:
  struct Head {
    FrameArena* arena;
    uint32_t bytes;  // with the head; 0: on the heap
    uint32_t reserved;
  };
  static_assert(sizeof(Head) == 16);

  alignas(16) char memory_[kBytes];
  size_t used_ = 0;
  size_t peak_ = 0;
  size_t live_ = 0;
  uint64_t heap_frames_ = 0;
};

class Port {
 public:
  virtual ~Port() = default;

  FrameArena& frames() { return frames_; }
  // What is resumed next.
  void Continue(std::coroutine_handle<> next) { next_ = next; }

  // Does the call on the guest's thread, then continues `waiter`, which takes the result.
  virtual void Run(const Call& native, std::coroutine_handle<> waiter) = 0;
  // Asks `level` (a layer, or the part of one beneath its attempts) and those beneath it, then continues `waiter`,
  // which takes the result.
  virtual void Below(const Call& call, uint32_t level, std::coroutine_handle<> waiter) = 0;
  SysResult TakeResult() const { return result_; }

  // The copy of what the guest's argument `origin` points to; data() == nullptr: none.
  virtual std::string_view CopyOf(uint8_t origin) const = 0;
  // Offsets, or Argument::kNoOffset when there is no room.
  virtual uint32_t PutOutbound(std::string_view bytes) = 0;
  virtual uint32_t ReserveInbound(size_t bytes) = 0;
  virtual void ReadInbound(uint32_t offset, void* to, size_t bytes) const = 0;
  virtual void CopyOut(uint8_t origin, std::string_view bytes) = 0;
  // All copy-outs of the call take place when it fails, too, and a bad address is no error.
  virtual void CopyOutAlways() = 0;

  virtual const Identity& Credentials() = 0;
  virtual Owner ShownOwner(const Inode& inode, Owner native) = 0;
  virtual std::optional<Device> ShownDevice(const Inode& inode) = 0;
  virtual KeptAttributes AttributesOf(const Inode& inode) = 0;
  virtual bool GroupsAreInherited() = 0;
  virtual Loans& loans() = 0;
  // Native calls that this call may still make.
  virtual uint32_t RunsLeft() const = 0;
  virtual void Commit(const SetOwner& change) = 0;
  virtual void Commit(const SetDevice& change) = 0;
  virtual void Commit(const SetAttribute& change) = 0;
  virtual void Commit(const SetIdentity& change) = 0;

 protected:
  std::coroutine_handle<> TakeNext() { return std::exchange(next_, nullptr); }
  SysResult result_;

 private:
  FrameArena frames_;
  std::coroutine_handle<> next_;
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_PORT_H_
