#include <cstdlib>
#include <new>

#include "personalities/api/port.h"

namespace guise::api {

void* FrameArena::Allocate(size_t size) {
  const size_t bytes = (sizeof(Head) + size + 15) & ~size_t{15};
  ++live_;
  if (bytes > kBytes - used_) {
    ++heap_frames_;
    Head* head = static_cast<Head*>(::operator new(bytes));
    *head = {this, 0, 0};
    return head + 1;
  }
  auto* head = new (memory_ + used_) Head{this, static_cast<uint32_t>(bytes), 0};
  used_ += bytes;
  if (used_ > peak_) peak_ = used_;
  return head + 1;
}

void FrameArena::Free(void* frame) {
  Head* head = static_cast<Head*>(frame) - 1;
  FrameArena& arena = *head->arena;
  if (head->bytes == 0) {
    ::operator delete(head);
  } else if (reinterpret_cast<char*>(head) + head->bytes == arena.memory_ + arena.used_) {
    arena.used_ -= head->bytes;
  }
  if (--arena.live_ == 0) arena.used_ = 0;
}

}  // namespace guise::api
