// Cell<T>: one word of a memory that two processes share.
//
// Why not std::atomic: the shim is freestanding, and <atomic> drags in hosted headers. Why a class: a plain load of a
// shared word does not compile, so every access says what it orders.
//
// The words used everywhere in proto/wire:
//   acquire  no later load or store of this thread moves before the load
//   release  no earlier load or store of this thread moves after the store
//   full     both, and a store before it is visible before a load after it (Dekker)
#ifndef GUISE_PROTO_WIRE_CELL_H_
#define GUISE_PROTO_WIRE_CELL_H_

#include <stdint.h>

namespace guise::wire {

template <typename T>
class Cell {
  // NOLINTNEXTLINE(bugprone-sizeof-expression): T may be a pointer, and then its own size is meant
  static_assert(sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8, "one machine word");

 public:
  using Value = T;

  T Acquire() const { return __atomic_load_n(&word_, __ATOMIC_ACQUIRE); }
  T Relaxed() const { return __atomic_load_n(&word_, __ATOMIC_RELAXED); }
  void Release(T value) { __atomic_store_n(&word_, value, __ATOMIC_RELEASE); }
  void StoreRelaxed(T value) { __atomic_store_n(&word_, value, __ATOMIC_RELAXED); }
  // The store and what FullFence does, in one instruction.
  void StoreFull(T value) { __atomic_exchange_n(&word_, value, __ATOMIC_SEQ_CST); }

  // Swaps `expected` for `desired`; false when the word held something else. Full order on success.
  bool CompareSwap(T expected, T desired) {
    return __atomic_compare_exchange_n(&word_, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
  }
  // Returns the value before. Full order.
  T Add(T delta) { return __atomic_fetch_add(&word_, delta, __ATOMIC_SEQ_CST); }

  // For futex(2) only, which takes an address.
  const T* Address() const { return &word_; }
  T* Address() { return &word_; }

 private:
  T word_;
};

// Orders every store before it against every load after it.
inline void FullFence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
// Orders loads before it against loads and stores after it.
inline void AcquireFence() { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
// Orders loads and stores before it against stores after it.
inline void ReleaseFence() { __atomic_thread_fence(__ATOMIC_RELEASE); }

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_CELL_H_
