#include "shim/exec/judge.h"

#include <asm/stat.h>
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/kernel.h"
#include "shim/loader/elf.h"
#include "shim/memory.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr uint32_t kExecute = 1;  // X_OK

struct Verdict {
  int64_t error;
  const char* why;
};
constexpr Verdict kGood = {0, nullptr};

// Opens a regular file that the caller may execute. The fd, or the verdict.
int64_t OpenExecutable(int32_t dir_fd, const char* path, uint32_t flags, Verdict* verdict) {
  int64_t fd;
  if (path[0] == 0 && (flags & AT_EMPTY_PATH) != 0) {
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
    // ABI: a socket or a device without a driver is not a regular file: EACCES.
    *verdict = {fd == -ENXIO || fd == -ENODEV ? -EACCES : fd, nullptr};
    return fd;
  }
  struct stat status;
  const int64_t got = Native(Nr::fstat, fd, &status);
  if (IsError(got)) {
    *verdict = {got, nullptr};
  } else if (!S_ISREG(status.st_mode)) {
    *verdict = {-EACCES, "it is not a regular file"};
  } else {
    // Permission as for the effective user, and the mount's noexec.
    const int64_t may = Native(Nr::faccessat2, fd, "", kExecute, AT_EMPTY_PATH | AT_EACCESS);
    if (!IsError(may)) return fd;
    *verdict = {may, "permission to execute it is missing"};
  }
  Native(Nr::close, fd);
  return verdict->error;
}

// The first line of a script. ABI: fs/binfmt_script.c, load_script(). False: not usable.
bool ParseScript(char* head, int64_t size, const char** interpreter, const char** argument) {
  char* const end = head + size;
  char* line_end = head + 2;
  while (line_end < end && *line_end != '\n' && *line_end != 0) ++line_end;
  const bool whole = line_end < end;
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  char* at = head + 2;
  while (at < line_end && is_blank(*at)) ++at;
  if (at == line_end) return false;
  char* word_end = at;
  while (word_end < line_end && !is_blank(*word_end)) ++word_end;
  // A name that is cut off by the end of the buffer would run something else.
  if (!whole && word_end == line_end && size == kHeadSize) return false;
  while (line_end > word_end && is_blank(line_end[-1])) --line_end;
  *line_end = 0;
  char* rest = word_end;
  while (rest < line_end && is_blank(*rest)) ++rest;
  *word_end = 0;
  *interpreter = at;
  *argument = rest < line_end ? rest : nullptr;
  return true;
}

Verdict JudgeInterpreter(const char* path) {
  Verdict verdict = kGood;
  const int64_t fd = OpenExecutable(AT_FDCWD, path, 0, &verdict);
  if (IsError(fd)) return {verdict.error, "its ELF interpreter cannot be opened"};
  ElfHead elf;
  const ElfError error = ReadElf(static_cast<int32_t>(fd), &elf);
  Native(Nr::close, fd);
  // ABI: fs/binfmt_elf.c: a bad interpreter is ELIBBAD.
  if (error != ElfError::kNone) return {-ELIBBAD, "its ELF interpreter is not a usable ELF file"};
  return kGood;
}

Verdict JudgeElf(int32_t fd) {
  ElfHead elf;
  const ElfError error = ReadElf(fd, &elf);
  if (error != ElfError::kNone) return {-ENOEXEC, WhyNot(error)};
  char interpreter[kMaxInterpreter];
  const int64_t length = ReadInterpreter(fd, elf, interpreter);
  if (length < 0) return {length, "its ELF interpreter's name cannot be read"};
  return length == 0 ? kGood : JudgeInterpreter(interpreter);
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

void Judge(int32_t dir_fd, const char* path, uint32_t flags, const char* shown, Judged* judged) {
  judged->error = 0;
  judged->why = nullptr;
  judged->scripts = 0;
  judged->words = 0;
  while (true) {
    Verdict verdict = kGood;
    const int64_t fd = OpenExecutable(dir_fd, path, flags, &verdict);
    if (!IsError(fd)) {
      char* const head = judged->heads[judged->scripts];
      const int64_t size = Native(Nr::pread64, fd, head, kHeadSize, 0);
      const char* interpreter = nullptr;
      const char* argument = nullptr;
      if (IsError(size)) {
        verdict = {size, nullptr};
      } else if (size >= 2 && head[0] == '#' && head[1] == '!') {
        Native(Nr::close, fd);
        head[size] = 0;
        if (!ParseScript(head, size, &interpreter, &argument)) {
          *judged = {.error = -ENOEXEC,
                     .why = "its #! line names no interpreter",
                     .fd = -1,
                     .scripts = 0,
                     .words = 0,
                     .word = {},
                     .heads = {}};
          return;
        }
        AddScript(judged, interpreter, argument, shown);
        if (++judged->scripts == kMaxScripts) {
          judged->error = -ELOOP;
          judged->why = "too many #! interpreters";
          return;
        }
        dir_fd = AT_FDCWD;
        path = shown = interpreter;
        flags = 0;
        continue;
      } else {
        verdict = JudgeElf(static_cast<int32_t>(fd));
      }
      if (verdict.error == 0) {
        judged->fd = static_cast<int32_t>(fd);
        return;
      }
      Native(Nr::close, fd);
    }
    judged->error = verdict.error;
    judged->why = verdict.why;
    return;
  }
}

}  // namespace guise::shim
