// futex(2) on words that processes share (not FUTEX_PRIVATE_FLAG).
#ifndef GUISE_SERVER_CHANNEL_FUTEX_H_
#define GUISE_SERVER_CHANNEL_FUTEX_H_

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <cstdint>

namespace guise::server {

// Wakes everybody who waits; a read-only mapping suffices.
inline void FutexWakeAll(const uint32_t* word) { ::syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

// Sleeps while the word has `value`; may also return without a cause. Null timeout: for ever.
inline void FutexWait(const uint32_t* word, uint32_t value, const timespec* timeout = nullptr) {
  ::syscall(SYS_futex, word, FUTEX_WAIT, value, timeout, nullptr, 0);
}

// ABI: x86_64 is little-endian: the low half comes first.
inline const uint32_t* LowHalf(const uint64_t* word) { return reinterpret_cast<const uint32_t*>(word); }

}  // namespace guise::server

#endif  // GUISE_SERVER_CHANNEL_FUTEX_H_
