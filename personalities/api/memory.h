// Memory of the guest behind addresses that no argument is: what a structure points to. Natively such memory is read
// and written by the kernel; here, too: a memfd of the guest's is written from there, and read to there, so that a bad
// address is EFAULT and nothing else.
//
//   SysResult memory = co_await OpenMemory(call);
//   if (!memory.ok()) co_return memory;
//   const Room<uint64_t> room = call.MakeRoom<uint64_t>();
//   const SysResult read = co_await ReadMemory(call, memory, address, room, sizeof(uint64_t));
//   ...
//   co_await CloseMemory(call, memory);
//
// Each is a few native calls: for what is rare.
#ifndef GUISE_PERSONALITIES_API_MEMORY_H_
#define GUISE_PERSONALITIES_API_MEMORY_H_

#include <cstdint>

#include "personalities/api/call.h"
#include "personalities/api/result.h"
#include "personalities/api/task.h"

namespace guise::api {

// The descriptor, in the guest's table, or why there is none: EMFILE, ENFILE, ENOMEM.
Task<SysResult> OpenMemory(Call& call);
Task<SysResult> CloseMemory(Call& call, SysResult memory);

// `size` bytes at `from` into `room`, an Argument of a Room as large. How many there were, for memory may end before:
// EFAULT when that is none.
Task<SysResult> ReadMemory(Call& call, SysResult memory, uint64_t from, Argument room, uint64_t size);

// `bytes`, put or in a room, to `to`: EFAULT when not all of them fit.
Task<SysResult> WriteMemory(Call& call, SysResult memory, uint64_t to, Argument bytes, uint64_t size);

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_MEMORY_H_
