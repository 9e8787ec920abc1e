#include "shim/view/file_name.h"

#include <linux/fcntl.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/memory.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// A line of /proc/self/maps is no longer.
constexpr size_t kLine = 4096 + 256;

struct Name {
  char* to;
  size_t size;
};

// ABI: seq_path(): a newline in a name is written as \\012.
bool Keep(const char* text, const char* end, const Name& name) {
  size_t used = 0;
  while (text < end && used + 1 < name.size) {
    const bool is_newline = end - text >= 4 && memcmp(text, "\\012", 4) == 0;
    name.to[used++] = is_newline ? '\n' : *text;
    text += is_newline ? 4 : 1;
  }
  name.to[used] = 0;
  return text == end;
}

uint64_t ReadHex(const char** text) {
  uint64_t number = 0;
  for (int digit = HexValue(**text); digit >= 0; digit = HexValue(*++*text)) {
    number = number << 4 | static_cast<uint64_t>(digit);
  }
  return number;
}

enum class Line { kOther, kNamed, kUnnamed };

// Keeps the name in a line whose end is `end`, if it is that of the address. ABI: proc_pid_maps(5).
Line Read(const char* line, const char* end, uint64_t address, const Name& name) {
  const uint64_t start = ReadHex(&line);
  ++line;
  if (address < start || address >= ReadHex(&line)) return Line::kOther;
  constexpr int kFields = 4;  // permissions, offset, device, inode
  for (int i = 0; i < kFields; ++i) {
    while (line < end && *line == ' ') ++line;
    while (line < end && *line != ' ') ++line;
  }
  while (line < end && *line == ' ') ++line;
  return line < end && Keep(line, end, name) ? Line::kNamed : Line::kUnnamed;
}

}  // namespace

// The kernel makes as many lines as a read asks for: few at a time, for a program's are among the first.
bool FileNameAt(uint64_t address, char* name, size_t size) {
  constexpr size_t kRead = 256;
  const int64_t fd = Native(Nr::openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (IsError(fd)) return false;
  char lines[kLine + kRead];  // the part of a line, and what is read behind it
  size_t used = 0;
  Line found = Line::kOther;
  while (found == Line::kOther && used + kRead <= sizeof(lines)) {
    const int64_t got = Native(Nr::read, fd, lines + used, kRead);
    if (got <= 0) break;
    used += static_cast<size_t>(got);
    const char* line = lines;
    for (const char* end = line; end < lines + used && found == Line::kOther; ++end) {
      if (*end != '\n') continue;
      found = Read(line, end, address, {name, size});
      line = end + 1;
    }
    used -= static_cast<size_t>(line - lines);
    memmove(lines, line, used);
  }
  Native(Nr::close, fd);
  return found == Line::kNamed;
}

}  // namespace guise::shim
