#include "shim/exec/judge.h"

#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/kernel.h"
#include "shim/loader/elf.h"
#include "shim/memory.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint32_t kExecute = 1;         // X_OK
constexpr uint32_t kTypeMask = 0170000;  // S_IFMT
constexpr uint32_t kRegular = 0100000;   // S_IFREG

struct Verdict {
  int64_t error;
  const char* why;
  bool unshimmed = false;
};
constexpr Verdict kGood = {0, nullptr};

constexpr uint32_t kSetUid = 04000;
constexpr uint32_t kSetGid = 02010;  // with S_IXGRP: without, it is mandatory locking's mark
constexpr uint64_t kNoSuid = 2;      // ST_NOSUID

// Whether its exec would raise the caller. ABI: fs/exec.c, bprm_fill_uid(); security/commoncap.c.
Verdict JudgeRaising(int32_t fd, const struct stat& status) {
  const int64_t euid = Native(Nr::geteuid);
  char capabilities[32];
  const bool by_uid = (status.st_mode & kSetUid) != 0 && status.st_uid != euid;
  const bool by_gid = (status.st_mode & kSetGid) == kSetGid && status.st_gid != Native(Nr::getegid);
  const bool by_capabilities =
      euid != 0 && !IsError(Native(Nr::fgetxattr, fd, "security.capability", capabilities, sizeof(capabilities)));
  if (!by_uid && !by_gid && !by_capabilities) return kGood;
  struct statfs mount;
  if (IsError(Native(Nr::fstatfs, fd, &mount)) || (static_cast<uint64_t>(mount.f_flags) & kNoSuid) != 0) return kGood;
  if (Native(Nr::prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return kGood;
  return {-EPERM, by_uid ? "it is set-uid" : by_gid ? "it is set-gid" : "it has file capabilities", true};
}

// Whether the process has forbidden itself to run the open file. Linux before 6.14 does not say. ABI: fs/exec.c,
// do_open_execat(): the check is of the file alone.
bool ForbidsItself(int32_t fd) {
  const char name = 0;
  const uint64_t words[] = {Word(&name), 0};
  return Native(Nr::execveat, fd, &name, words, words + 1, AT_EMPTY_PATH | AT_EXECVE_CHECK) == -EACCES;
}

bool IsRegular(int32_t dir_fd, const char* path, uint64_t flags) {
  struct stat status;
  return !IsError(Native(Nr::newfstatat, dir_fd, path, &status, flags)) && (status.st_mode & kTypeMask) == kRegular;
}

// Opens a regular file that the caller may execute. The fd and its status, or the verdict.
int64_t OpenExecutable(const Candidate& candidate, int32_t dir_fd, const char* path, uint32_t flags,
                       struct stat* status, Verdict* verdict) {
  int64_t fd;
  if (path[0] == 0 && (flags & AT_EMPTY_PATH) != 0 && dir_fd == AT_FDCWD) {
    fd = Native(Nr::openat, AT_FDCWD, ".", O_RDONLY | O_CLOEXEC, 0);
  } else if (path[0] == 0 && (flags & AT_EMPTY_PATH) != 0) {
    // An fd that was opened with O_PATH cannot be read; /proc has no such limit, where it is mounted.
    Text<40> link;
    link.Add("/proc/self/fd/").Add(int64_t{dir_fd});
    fd = Native(Nr::openat, AT_FDCWD, link.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    if (IsError(fd)) fd = Native(Nr::fcntl, dir_fd, F_DUPFD_CLOEXEC, 3);
  } else {
    const uint32_t follow = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
    fd = Native(Nr::openat, dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | follow, 0);
  }
  if (IsError(fd)) {
    if (fd != -ENOENT && candidate.is_absent != nullptr &&
        candidate.is_absent(dir_fd, path, (flags & AT_SYMLINK_NOFOLLOW) == 0)) {
      *verdict = {-ENOENT, nullptr};
      return -ENOENT;
    }
    // ABI: a socket or a device without a driver is not a regular file: EACCES.
    *verdict = {fd == -ENXIO || fd == -ENODEV ? -EACCES : fd, nullptr};
    // The loader must read what the kernel need not.
    const uint64_t follow = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0;
    const bool may_execute = fd == -EACCES && path[0] != 0 &&
                             !IsError(Native(Nr::faccessat2, dir_fd, path, kExecute, uint64_t{AT_EACCESS} | follow));
    if (may_execute && IsRegular(dir_fd, path, follow)) *verdict = {-EACCES, "it may not be read", true};
    return fd;
  }
  const int64_t got = Native(Nr::fstat, fd, status);
  if (IsError(got)) {
    *verdict = {got, nullptr};
  } else if ((status->st_mode & kTypeMask) != kRegular) {
    *verdict = {-EACCES, "it is not a regular file"};
  } else {
    // Permission as for the effective user, and the mount's noexec.
    int64_t may = Native(Nr::faccessat2, fd, "", kExecute, AT_EMPTY_PATH | AT_EACCESS);
    if (!IsError(may) && candidate.landlocked && ForbidsItself(static_cast<int32_t>(fd))) may = -EACCES;
    if (!IsError(may)) return fd;
    *verdict = {may, "permission to execute it is missing"};
  }
  Native(Nr::close, fd);
  return verdict->error;
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

char* FirstNonBlank(char* first, const char* last) {
  for (; first <= last; ++first) {
    if (!IsBlank(*first)) return first;
  }
  return nullptr;
}

char* FirstTerminator(char* first, const char* last) {
  for (; first <= last; ++first) {
    if (IsBlank(*first) || *first == 0) return first;
  }
  return nullptr;
}

// The first line of a script. ABI: fs/binfmt_script.c, load_script(), step by step: behind the file's end there are
// zeros, and a name that the end of the buffer may have cut off would run something else. False: ENOEXEC.
bool ParseScript(char (&head)[kHeadSize + 1], const char** interpreter, const char** argument) {
  char* const start = head + 2;
  char* const last = head + kHeadSize - 1;
  char* end = head;
  while (end <= last && *end != '\n' && *end != 0) ++end;
  if (end > last || *end == 0) {
    end = FirstNonBlank(start, last);
    if (end == nullptr || FirstTerminator(end, last) == nullptr) return false;
    end = last;
  }
  while (IsBlank(end[-1])) --end;
  char* const name = FirstNonBlank(start, end);
  if (name == nullptr || name == end) return false;
  char* const separator = FirstTerminator(name, end);
  char* const rest = separator != nullptr && *separator != 0 ? FirstNonBlank(separator, end) : nullptr;
  *end = 0;
  if (separator != nullptr) *separator = 0;
  *interpreter = name;
  *argument = rest != end ? rest : nullptr;
  return true;
}

Verdict JudgeInterpreter(const Candidate& candidate, const char* path) {
  Verdict verdict = kGood;
  struct stat status;
  const int64_t fd = OpenExecutable(candidate, AT_FDCWD, path, 0, &status, &verdict);
  if (IsError(fd)) return {verdict.error, "its ELF interpreter cannot be opened"};
  ElfHead elf;
  ReadStart(static_cast<int32_t>(fd), &elf);
  const ElfError error = ReadRest(static_cast<int32_t>(fd), static_cast<uint64_t>(status.st_size), &elf);
  Native(Nr::close, fd);
  // ABI: fs/binfmt_elf.c: a bad interpreter is ELIBBAD.
  if (error != ElfError::kNone) return {-ELIBBAD, "its ELF interpreter is not a usable ELF file"};
  return kGood;
}

Verdict JudgeElf(const Candidate& candidate, int32_t fd, uint64_t size, ElfHead* elf) {
  const ElfError error = ReadRest(fd, size, elf);
  if (error != ElfError::kNone) return {-ENOEXEC, WhyNot(error), error == ElfError::kForeign};
  const char* interpreter = nullptr;
  const int64_t length = ReadInterpreter(fd, elf, &interpreter);
  if (length < 0) return {length, "its ELF interpreter's name cannot be read"};
  return length == 0 ? kGood : JudgeInterpreter(candidate, interpreter);
}

void AddScript(Judged* judged, const char* interpreter, const char* argument, const char* script) {
  const uint32_t added = argument != nullptr ? 2 : 1;
  // The first word is the script itself, as the interpreter that named it called it.
  if (judged->words == 0) judged->word[judged->words++] = script;
  for (uint32_t i = judged->words; i-- > 0;) judged->word[i + added] = judged->word[i];
  judged->words += added;
  judged->word[0] = interpreter;
  if (argument != nullptr) judged->word[1] = argument;
}

}  // namespace

void Judge(const Candidate& candidate, Judged* judged) {
  int32_t dir_fd = candidate.dir_fd;
  const char* path = candidate.path;
  uint32_t flags = candidate.flags;
  const char* shown = candidate.shown;
  judged->error = 0;
  judged->why = nullptr;
  judged->scripts = 0;
  judged->words = 0;
  judged->fd = -1;
  judged->unshimmed = nullptr;
  while (true) {
    Verdict verdict = kGood;
    struct stat status;
    const int64_t fd = OpenExecutable(candidate, dir_fd, path, flags, &status, &verdict);
    if (!IsError(fd)) {
      ElfHead start;
      const int64_t size = ReadStart(static_cast<int32_t>(fd), &start);
      const char* interpreter = nullptr;
      const char* argument = nullptr;
      if (IsError(size)) {
        verdict = {size, nullptr};
      } else if (size >= 2 && memcmp(StartOf(start), "#!", 2) == 0) {
        Native(Nr::close, fd);
        auto& head = judged->heads[judged->scripts];
        memset(head, 0, sizeof(head));
        memcpy(head, StartOf(start), static_cast<uint64_t>(size) < kHeadSize ? static_cast<uint64_t>(size) : kHeadSize);
        if (!ParseScript(head, &interpreter, &argument)) {
          *judged = {.error = -ENOEXEC,
                     .why = "its #! line names no interpreter",
                     .fd = -1,
                     .unshimmed = nullptr,
                     .scripts = 0,
                     .words = 0,
                     .word = {},
                     .heads = {}};
          return;
        }
        if (candidate.closes && judged->scripts == 0) {
          judged->error = -ENOENT;
          judged->why = "its interpreter could not open it: the descriptor is closed by the exec";
          return;
        }
        if (++judged->scripts > kMaxScripts) {
          judged->error = -ELOOP;
          judged->why = "too many #! interpreters";
          return;
        }
        AddScript(judged, interpreter, argument, shown);
        // ABI: no name is the current directory, which is no regular file.
        dir_fd = AT_FDCWD;
        path = interpreter[0] != 0 ? interpreter : ".";
        shown = interpreter;
        flags = 0;
        continue;
      } else {
        verdict = JudgeElf(candidate, static_cast<int32_t>(fd), static_cast<uint64_t>(status.st_size), &start);
        if (verdict.error == 0) verdict = JudgeRaising(static_cast<int32_t>(fd), status);
      }
      if (verdict.error == 0) {
        judged->fd = static_cast<int32_t>(fd);
        return;
      }
      Native(Nr::close, fd);
    }
    judged->error = verdict.error;
    judged->why = verdict.why;
    if (verdict.unshimmed) judged->unshimmed = verdict.why;
    return;
  }
}

}  // namespace guise::shim
