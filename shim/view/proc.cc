#include "shim/view/proc.h"

#include <linux/errno.h>
#include <linux/openat2.h>

#include "shim/gate/looks.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/view/fds.h"
#include "shim/view/kernel_look.h"
#include "shim/view/path_use.h"
#include "shim/view/program.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// No path that the view knows is longer.
constexpr size_t kViewSize = 64;

// What a path in /proc means to the view.
enum class Meaning { kNothing, kProgram, kGuardedFd };

// Behind /proc/self/, /proc/thread-self/, /proc/PID/ and /proc/PID/task/TID/ of this process; null: elsewhere.
const char* BehindSelf(const ProcessState& process, const char* path) {
  if (!StartsWith(path, "/proc/")) return nullptr;
  path += Length("/proc/");
  if (StartsWith(path, "self/")) {
    path += Length("self/");
  } else if (StartsWith(path, "thread-self/")) {
    return path + Length("thread-self/");
  } else {
    int64_t pid;
    if (!ReadNumber(&path, &pid) || pid != process.pid || *path++ != '/') return nullptr;
  }
  if (!StartsWith(path, "task/")) return path;
  const char* rest = path + Length("task/");
  int64_t tid;
  return ReadNumber(&rest, &tid) && *rest == '/' ? rest + 1 : path;
}

Meaning MeaningOf(const ProcessState& process, const char* path) {
  const char* fd = nullptr;
  if (StartsWith(path, "/dev/fd/")) {
    fd = path + Length("/dev/fd/");
  } else {
    const char* const rest = BehindSelf(process, path);
    if (rest == nullptr) return Meaning::kNothing;
    if (Equal(rest, "exe")) return Meaning::kProgram;
    if (StartsWith(rest, "fd/")) fd = rest + Length("fd/");
    if (StartsWith(rest, "fdinfo/")) fd = rest + Length("fdinfo/");
  }
  int64_t number;
  if (fd == nullptr || !ReadNumber(&fd, &number) || *fd != 0) return Meaning::kNothing;
  return IsGuarded(process, static_cast<int32_t>(number)) ? Meaning::kGuardedFd : Meaning::kNothing;
}

// ABI: readlinkat(2): the size is an int; of what stands above its 32 bits the kernel sees nothing.
int64_t ReadLink(const char* program, uint64_t buffer, uint64_t size_argument) {
  const auto size = static_cast<int32_t>(size_argument);
  if (size <= 0) return -EINVAL;
  const uint64_t length = Length(program);
  const uint64_t told = static_cast<uint64_t>(size) < length ? static_cast<uint64_t>(size) : length;
  return WriteGuest(buffer, program, told) ? static_cast<int64_t>(told) : -EFAULT;
}

// Whether the call says more of how its path is to be walked, which the program's own would be, too.
bool RestrictsPath(const GuestCall& call) {
  uint64_t resolve = 0;
  return call.nr == Nr::openat2 && ReadGuest(&resolve, call.args[2] + offsetof(open_how, resolve)) && resolve != 0;
}

}  // namespace

const char* ProcPath(const ProcessState& process, const char* path) {
  if (MeaningOf(process, path) != Meaning::kProgram) return path;
  const char* const program = Program();
  return program[0] != 0 ? program : path;
}

bool AnswerForProc(ThreadBlock* block, GuestCall* edited, Outcome* outcome) {
  const GuestCall& call = *edited;
  return AnyArgument(LooksOf(call.nr).paths, [&](size_t i) {
    if (!MayBeKnown(guise_prefix(call.args[i]))) return false;
    char path[kViewSize];
    if (ReadGuestString(path, call.args[i], sizeof(path)) < 0) return false;
    if (OpenKernelFile(call, KernelFileOf(path), outcome)) return true;
    switch (MeaningOf(*block->process, path)) {
      case Meaning::kNothing:
        return false;
      case Meaning::kGuardedFd:
        *outcome = Outcome::Done(-ENOENT);
        return true;
      case Meaning::kProgram:
        break;
    }
    const char* const program = Program();
    if (program[0] == 0) return false;
    if (call.nr == Nr::readlink) {
      *outcome = Outcome::Done(ReadLink(program, call.args[1], call.args[2]));
      return true;
    }
    if (call.nr == Nr::readlinkat) {
      *outcome = Outcome::Done(ReadLink(program, call.args[2], call.args[3]));
      return true;
    }
    // A call that acts on what the link points to can be given the program's own path instead. Those that act on the
    // link itself cannot.
    const syscall::Row& row = *syscall::Find(static_cast<uint32_t>(call.nr));
    if (UseOfPath(call, row, i).link != LastLink::kFollowed || RestrictsPath(call)) return false;
    // The kernel does not know that the program is executed.
    if (call.nr == Nr::truncate) {
      *outcome = Outcome::Done(-ETXTBSY);
      return true;
    }
    edited->args[i] = Word(program);
    return false;
  });
}

}  // namespace guise::shim
