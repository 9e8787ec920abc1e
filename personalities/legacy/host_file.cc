#include "personalities/legacy/host_file.h"

#include <fcntl.h>

namespace guise::personalities {

using api::Argument;
using api::Call;
using api::Nr;
using api::SysResult;
using api::Task;

Task<SysResult> ReadHostFile(Call& call, const char* path, Argument room, uint64_t size, uint64_t offset) {
  const Argument put = call.Put(path);
  const SysResult file = co_await call.Run(Nr::openat, AT_FDCWD, put, O_RDONLY | O_CLOEXEC, 0);
  if (!file.ok()) co_return file;
  const SysResult read = co_await call.Run(Nr::pread64, file.value(), room, size, offset);
  const SysResult closed = co_await call.Run(Nr::close, file.value());
  (void)closed;
  co_return read;
}

}  // namespace guise::personalities
