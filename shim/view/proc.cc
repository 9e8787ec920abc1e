#include "shim/view/proc.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>

#include "shim/gate/looks.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/view/fds.h"
#include "shim/view/kernel_look.h"
#include "shim/view/open_flags.h"
#include "shim/view/path_use.h"
#include "shim/view/program.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// No path that the view knows is longer.
constexpr size_t kViewSize = 64;

// What a path in /proc means to the view.
enum class Meaning { kNothing, kProgram, kGuardedFd };

// Takes out of an absolute path what means nothing: "." and all slashes but one.
void Simplify(char* path) {
  char* to = path;
  for (const char* from = path; *from != 0;) {
    while (*from == '/') ++from;
    const char* const name = from;
    while (*from != 0 && *from != '/') ++from;
    const bool is_dot = from - name == 1 && *name == '.';
    if (is_dot && *from != 0) continue;
    *to++ = '/';
    for (const char* at = name; at != from; ++at) *to++ = *at;
  }
  *to = 0;
}

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

// What a readlink(2), or one of its kin, is told whose path is argument `at`: buffer and size are behind that. ABI:
// readlinkat(2): the size is an int; of what stands above its 32 bits the kernel sees nothing.
int64_t ReadName(const char* program, const GuestCall& call, size_t at) {
  const uint64_t buffer = call.args[at + 1];
  const auto size = static_cast<int32_t>(call.args[at + 2]);
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

// Empty: not known.
const char* PathOfProgram(ThreadBlock* block) {
  const char* const link = ProgramLink(block);
  return link != nullptr ? link : Program();
}

// As natively while the file is executed. ABI: open(2), ETXTBSY; the permission is looked at first.
int64_t RefuseToWrite(const char* program) {
  constexpr uint64_t kWrite = 2;  // W_OK
  const int64_t may = Native(Nr::faccessat2, AT_FDCWD, program, kWrite, AT_EACCESS);
  return IsError(may) ? may : -ETXTBSY;
}

bool OpensToWrite(const GuestCall& call) {
  uint64_t flags = 0;
  if (call.nr == Nr::creat) return true;
  return OpenFlags(call, &flags) && (flags & O_PATH) == 0 && (flags & (O_ACCMODE | O_TRUNC)) != O_RDONLY;
}

// Gives the call another path that leads to the program. False: it is answered.
bool LeadToProgram(ThreadBlock* block, GuestCall* call, size_t at, Outcome* outcome) {
  const bool reads_link = call->nr == Nr::readlink || call->nr == Nr::readlinkat;
  const syscall::Row& row = *syscall::Find(static_cast<uint32_t>(call->nr));
  // Those that act on the link itself have none but this, and of how the path is to be walked the kernel knows more.
  if (!reads_link && (UseOfPath(*call, row, at).link != LastLink::kFollowed || RestrictsPath(*call))) return true;
  // The kernel does not know that the program is executed.
  if (call->nr == Nr::truncate) {
    *outcome = Outcome::Done(-ETXTBSY);
    return false;
  }
  const char* const program = PathOfProgram(block);
  if (program[0] == 0) return true;
  if (OpensToWrite(*call)) {
    *outcome = Outcome::Done(RefuseToWrite(program));
    return false;
  }
  const bool is_name = program != block->program_link.c_str();
  if (reads_link && is_name) {
    *outcome = Outcome::Done(ReadName(program, *call, at));
    return false;
  }
  call->args[at] = Word(program);
  return true;
}

}  // namespace

const char* ProcPath(ThreadBlock* block, const char* path) {
  char simple[kViewSize];
  if (path[0] != '/' || Length(path) >= sizeof(simple)) return path;
  memcpy(simple, path, Length(path) + 1);
  Simplify(simple);
  if (MeaningOf(*block->process, simple) != Meaning::kProgram) return path;
  const char* const program = PathOfProgram(block);
  return program[0] != 0 ? program : path;
}

bool AnswerForProc(ThreadBlock* block, GuestCall* edited, Outcome* outcome) {
  const GuestCall& call = *edited;
  return AnyArgument(LooksOf(call.nr).paths, [&](size_t i) {
    if (!MayBeKnown(guise_prefix(call.args[i]))) return false;
    char path[kViewSize];
    if (ReadGuestString(path, call.args[i], sizeof(path)) < 0) return false;
    Simplify(path);
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
    return !LeadToProgram(block, edited, i, outcome);
  });
}

}  // namespace guise::shim
