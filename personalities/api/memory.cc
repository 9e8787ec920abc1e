#include "personalities/api/memory.h"

#include <sys/mman.h>

#include <cerrno>

namespace guise::api {

Task<SysResult> OpenMemory(Call& call) {
  const Argument name = call.Put("guise");
  const SysResult memory = co_await call.Run(Nr::memfd_create, name, MFD_CLOEXEC);
  co_return memory;
}

Task<SysResult> CloseMemory(Call& call, SysResult memory) {
  const SysResult closed = co_await call.Run(Nr::close, memory.value());
  co_return closed;
}

Task<SysResult> ReadMemory(Call& call, SysResult memory, uint64_t from, Argument room, uint64_t size) {
  const SysResult there = co_await call.Run(Nr::pwrite64, memory.value(), from, size, 0);
  if (!there.ok()) co_return there;
  const SysResult read = co_await call.Run(Nr::pread64, memory.value(), room, there.value(), 0);
  co_return read;
}

Task<SysResult> WriteMemory(Call& call, SysResult memory, uint64_t to, Argument bytes, uint64_t size) {
  const SysResult there = co_await call.Run(Nr::pwrite64, memory.value(), bytes, size, 0);
  if (!there.ok()) co_return there;
  const SysResult written = co_await call.Run(Nr::pread64, memory.value(), to, size, 0);
  if (written.ok() && written.value() != size) co_return SysResult::Error(EFAULT);
  co_return written;
}

}  // namespace guise::api
