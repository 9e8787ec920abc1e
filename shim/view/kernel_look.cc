#include "shim/view/kernel_look.h"

#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/openat2.h>
#include <linux/utsname.h>

#include "shim/arch/x86_64/syscall.h"
#include "shim/exec/exec.h"
#include "shim/gate/published.h"
#include "shim/guest_memory.h"
#include "shim/memory.h"
#include "shim/panic.h"
#include "shim/view/open_flags.h"

namespace guise::shim {
namespace {

using syscall::Nr;

// A release as programs compare it.
struct Release {
  int64_t parts[3] = {};

  bool IsOlderThan(const Release& other) const {
    for (int i = 0; i < 3; ++i) {
      if (parts[i] != other.parts[i]) return parts[i] < other.parts[i];
    }
    return false;
  }
};

Release ReleaseOf(const char* text) {
  Release release;
  for (int64_t& part : release.parts) {
    if (!ReadNumber(&text, &part) || *text++ != '.') break;
  }
  return release;
}

// What the program and its interpreter need at least.
Release g_needed;

void Need(const Release& release) {
  if (!g_needed.IsOlderThan(release)) return;
  new_utsname host;
  if (IsError(Native(Nr::uname, &host))) return;
  const Release known = ReleaseOf(host.release);
  g_needed = known.IsOlderThan(release) ? known : release;
}

// The look that this process is shown. False: the host's.
bool ReadLook(KernelLookCopy* look) {
  if (!ReadKernelLook(look)) return false;
  if (ReleaseOf(look->release).IsOlderThan(g_needed)) {
    Text<sizeof(look->release)> needed;
    needed.Add(g_needed.parts[0]).Add(".").Add(g_needed.parts[1]).Add(".").Add(g_needed.parts[2]);
    memset(look->release, 0, sizeof(look->release));
    memcpy(look->release, needed.c_str(), needed.size());
  }
  return true;
}

// A descriptor like that of a file that says `text`: read-only, at the lowest free number. Or -errno.
int64_t OpenText(const Text<512>& text, uint64_t flags) {
  const int64_t made = Native(Nr::memfd_create, "proc", MFD_CLOEXEC);
  if (IsError(made)) return made;
  Text<40> link;
  link.Add("/proc/self/fd/").Add(made);
  int64_t result = Native(Nr::write, made, text.c_str(), text.size());
  // A description of its own: a memfd's may write.
  if (!IsError(result)) result = Native(Nr::openat, kCwd, link.c_str(), O_RDONLY | O_CLOEXEC, 0);
  if (!IsError(result)) {
    const int64_t read_only = result;
    result = Native(Nr::dup3, read_only, made, flags & O_CLOEXEC);
    Native(Nr::close, read_only);
  }
  if (IsError(result)) Native(Nr::close, made);
  return result;
}

}  // namespace

void NoteKernelNeeded(int32_t fd, const ElfHead& elf) {
  // Also where the session shows the host's kernel: a switch may change that while the program runs. What the host's
  // itself is too old for is not made up: the program ends as natively.
  // ABI: the gABI's notes; of glibc's, csu/abi-note.c: name "GNU", type 1, {0 for Linux, major, minor, patch}.
  struct AbiTag {
    Elf64_Nhdr head;
    char name[4];
    uint32_t system;
    uint32_t release[3];
  };
  for (uint32_t i = 0; i < elf.header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf.segments[i];
    if (segment.p_type != PT_NOTE) continue;
    for (uint64_t at = 0; at + sizeof(AbiTag) <= segment.p_filesz;) {
      AbiTag tag;
      if (Native(Nr::pread64, fd, &tag, sizeof(tag), segment.p_offset + at) != sizeof(tag)) break;
      if (tag.head.n_type == 1 && tag.head.n_descsz == 16 && tag.head.n_namesz == 4 && Equal(tag.name, "GNU") &&
          tag.system == 0) {
        Need({{tag.release[0], tag.release[1], tag.release[2]}});
      }
      const auto padded = [](uint64_t size) { return (size + 3) & ~uint64_t{3}; };
      at += sizeof(tag.head) + padded(tag.head.n_namesz) + padded(tag.head.n_descsz);
    }
  }
}

void SayIfKernelIsTooOld(int32_t fd, const char* path) {
  KernelLookCopy shown;
  ElfHead elf;
  if (!ReadKernelLook(&shown) || ReadElf(fd, &elf) != ElfError::kNone) return;
  NoteKernelNeeded(fd, elf);
  KernelLookCopy told;
  if (!ReadLook(&told) || Equal(shown.release, told.release)) return;
  Text<sizeof(wire::PanicRecord::text)> text;
  text.Add("a program is told of Linux ").Add(told.release).Add(", not ").Add(shown.release);
  text.Add(", for it says that it needs that at least: ").Add(path);
  Notice(text.c_str());
}

Outcome UnameWithLook(const GuestCall& call) {
  KernelLookCopy look;
  if (!ReadLook(&look)) return Outcome::Native();
  new_utsname name;
  const int64_t result = Native(Nr::uname, &name);
  if (IsError(result)) return Outcome::Done(result);
  static_assert(sizeof(name.release) > sizeof(look.release));
  memset(name.release, 0, sizeof(name.release));
  memcpy(name.release, look.release, sizeof(look.release));
  memset(name.version, 0, sizeof(name.version));
  memcpy(name.version, look.version, sizeof(look.version));
  return Outcome::Done(WriteGuest(call.args[0], name) ? 0 : -EFAULT);
}

KernelFile KernelFileOf(const char* path) {
  // The names on the way, with ".." among them.
  constexpr int kMostDepth = 3;
  int depth = 0;
  while (*path == '/') {
    const char* const name = ++path;
    while (*path != 0 && *path != '/') ++path;
    const auto size = static_cast<size_t>(path - name);
    const auto is = [&](const char* other) { return Length(other) == size && memcmp(name, other, size) == 0; };
    if (is("..")) {
      if (depth > 0) --depth;
      continue;
    }
    if (*path == 0 && depth == 1 && is("version")) return KernelFile::kVersion;
    if (*path == 0 && depth == kMostDepth && is("osrelease")) return KernelFile::kOsRelease;
    if (*path == 0 && depth == kMostDepth && is("version")) return KernelFile::kOsVersion;
    if (depth == kMostDepth || !is(depth == 0 ? "proc" : depth == 1 ? "sys" : "kernel")) return KernelFile::kNone;
    ++depth;
  }
  return KernelFile::kNone;
}

bool OpenKernelFile(const GuestCall& call, KernelFile file, Outcome* outcome) {
  KernelLookCopy look;
  uint64_t flags;
  if (file == KernelFile::kNone || !OpenFlags(call, &flags) || !ReadLook(&look)) return false;
  // Of another size the kernel has its say.
  if (call.nr == Nr::openat2 && call.args[3] != sizeof(open_how)) return false;
  if ((flags & (O_ACCMODE | O_PATH | O_DIRECTORY)) != O_RDONLY) return false;
  Text<512> text;
  if (file == KernelFile::kVersion) {
    // ABI: init/version.c, linux_proc_banner. Who built the host's kernel, and with what, is left out.
    text.Add("Linux version ").Add(look.release).Add(" (root@localhost) (gcc) ").Add(look.version).Add("\n");
  } else {
    text.Add(file == KernelFile::kOsRelease ? look.release : look.version).Add("\n");
  }
  *outcome = Outcome::Done(OpenText(text, flags));
  return true;
}

}  // namespace guise::shim
