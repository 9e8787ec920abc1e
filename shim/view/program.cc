#include "shim/view/program.h"

#include <linux/fcntl.h>

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/placement.h"

namespace guise::shim {
namespace {

using syscall::Nr;
using wire::Cell;

constexpr size_t kPathSize = 4096;

GUISE_TABLE char g_name[kPathSize];
const char* g_path;
// 0: g_name holds the name. Of several threads that ask, each writes the same.
Cell<uint64_t> g_page;

// ABI: seq_path(): a newline in a name is written as \\012.
void Keep(const char* name, size_t length) {
  const char* const end = name + length;
  size_t used = 0;
  while (name < end && used + 1 < kPathSize) {
    const bool is_newline = end - name >= 4 && memcmp(name, "\\012", 4) == 0;
    g_name[used++] = is_newline ? '\n' : *name;
    name += is_newline ? 4 : 1;
  }
  g_name[used] = 0;
}

uint64_t ReadHex(const char** text) {
  uint64_t number = 0;
  for (int digit = HexValue(**text); digit >= 0; digit = HexValue(*++*text)) {
    number = number << 4 | static_cast<uint64_t>(digit);
  }
  return number;
}

// Keeps the name in a line of /proc/self/maps, whose end is `end`, if it is that of the page. ABI: proc_pid_maps(5).
bool KeepName(const char* line, const char* end, uint64_t page) {
  const uint64_t start = ReadHex(&line);
  ++line;
  if (page < start || page >= ReadHex(&line)) return false;
  constexpr int kFields = 4;  // permissions, offset, device, inode
  for (int i = 0; i < kFields; ++i) {
    while (line < end && *line == ' ') ++line;
    while (line < end && *line != ' ') ++line;
  }
  while (line < end && *line == ' ') ++line;
  if (line < end) Keep(line, static_cast<size_t>(end - line));
  return line < end;
}

// False: it does not tell. It makes as many lines as a read asks for: few at a time, for the program's are among the
// first.
bool AskKernel(uint64_t page) {
  constexpr size_t kRead = 256;
  const int64_t fd = Native(Nr::openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (IsError(fd)) return false;
  char lines[kPathSize + 2 * kRead];  // the part of a line, and what is read behind it
  size_t used = 0;
  bool found = false;
  while (!found && used + kRead <= sizeof(lines)) {
    const int64_t size = Native(Nr::read, fd, lines + used, kRead);
    if (size <= 0) break;
    used += static_cast<size_t>(size);
    const char* line = lines;
    for (const char* end = line; end < lines + used && !found; ++end) {
      if (*end != '\n') continue;
      found = KeepName(line, end, page);
      line = end + 1;
    }
    used -= static_cast<size_t>(line - lines);
    memmove(lines, line, used);
  }
  Native(Nr::close, fd);
  return found;
}

}  // namespace

void NoteProgram(uint64_t page, const char* path) {
  g_path = path;
  g_page.Release(page);
}

void KeepProgram(uint64_t start, uint64_t size) {
  const uint64_t page = g_page.Relaxed();
  if (page - start >= size) return;
  Program();
  g_page.Release(0);
}

const char* Program() {
  const uint64_t page = g_page.Acquire();
  if (page == 0) return g_name;
  if (AskKernel(page)) {
    g_page.Release(0);
  } else if (g_page.Acquire() == page && ReadGuestString(g_name, Word(g_path), sizeof(g_name)) < 0) {
    g_name[0] = 0;
  }
  return g_name;
}

}  // namespace guise::shim
