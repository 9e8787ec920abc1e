// mknod(2) of device nodes, which only root's power makes (CAP_MKNOD). Where the kernel refuses one, a node that harms
// nobody is made in its place, and the session keeps what it is to be: stat(2) shows that. ABI: fs/namei.c,
// vfs_mknod().
//
// The node is a whiteout, the character device 0:0: everybody may make it, directories list it as a device, and who
// opens it is told ENXIO. overlayfs has a use of its own for those; there, and where a filter refuses them, the node is
// an empty file.
//
// Directories tell types as well: once the session keeps a block device, they are looked through for character devices
// that are none.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "personalities/api/files.h"
#include "personalities/fakeroot/fakeroot.h"
#include "personalities/fakeroot/power.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Call;
using api::Device;
using api::FileStatus;
using api::Room;
using api::SysResult;
using api::SysResultOr;
using api::SysTask;
using api::Task;

namespace {

bool IsDevice(uint32_t mode) { return S_ISCHR(mode) || S_ISBLK(mode); }

// What is made in a device's place; argument `at` is the mode, the next one the device.
Call InPlace(const Call& call, size_t at, uint32_t type) {
  return call.With(at, (call.Arg<uint32_t>(at) & 07777) | type).With(at + 1, 0);
}

// Where nothing needs to be lent.
Task<SysResult> MakeInPlace(Call& call, Below below, const Again& again, Argument directory, size_t path) {
  const SysResult result = co_await MakeAgain(call, below, again);
  if (!result.ok()) co_return result;
  const Argument name = call.Forward(path);
  const SysResultOr<FileStatus> made = co_await StatusOf(call, directory, name, AT_SYMLINK_NOFOLLOW);
  if (!made.ok()) co_return made.failure();
  *again.status = made.value();
  co_return result;
}

// `directory` and `path`: of the call, whose result is `native`.
Task<SysResult> MakeDevice(Call& call, Below below, Argument directory, size_t path, SysResult native) {
  const size_t at = path + 1;
  const Call whiteout = InPlace(call, at, S_IFCHR);
  const Call file = InPlace(call, at, S_IFREG);
  FileStatus made;
  const Again again = {&whiteout, &file, &made};
  SysResult result = native;
  if (native.Is(EPERM)) {
    const SysResult placed = co_await MakeInPlace(call, below, again, directory, path);
    result = placed;
  } else {
    const SysResult placed = co_await WithModesLent(call, below, again);
    result = placed;
  }
  if (!result.ok()) co_return result;
  // ABI: the kernel takes 32 bits, include/linux/kdev_t.h, new_decode_dev().
  const dev_t device = call.Arg<uint32_t>(at + 1);
  const uint32_t type = call.Arg<uint32_t>(at) & S_IFMT;
  call.Commit(api::SetDevice{made.inode, Device{type, major(device), minor(device)}});
  co_return result;
}

Task<SysResult> MakeNode(Call& call, Below below, Argument directory, size_t path) {
  const SysResult native = co_await below(call);
  const bool is_device = IsDevice(call.Arg<uint32_t>(path + 1));
  // The kernel looks at the way first.
  const bool refused = native.Is(EACCES) ? call.Credentials().May(CAP_DAC_OVERRIDE) : native.Is(EPERM) && is_device;
  if (!refused) co_return native;
  if (is_device && !call.Credentials().May(CAP_MKNOD)) co_return SysResult::Error(EPERM);
  if (is_device) {
    const SysResult made = co_await MakeDevice(call, below, directory, path, native);
    co_return made;
  }
  const Again again = {&call};
  const SysResult made = co_await WithModesLent(call, below, again);
  co_return made;
}

// What one call lists here at most, whatever room the guest has: it asks until there is no more.
struct Listing {
  char bytes[4096];
};

// ABI: include/linux/dirent.h, struct linux_dirent64, which is the C library's.
struct Entry {
  size_t at;
  size_t length;
};

// The first entry from `at` on that the directory calls a character device; nullopt: there is none.
std::optional<Entry> FirstDevice(const Listing& listing, size_t size, size_t at) {
  while (at + offsetof(dirent64, d_name) < size) {
    uint16_t length = 0;
    std::memcpy(&length, listing.bytes + at + offsetof(dirent64, d_reclen), sizeof(length));
    if (length <= offsetof(dirent64, d_name) || length > size - at) return std::nullopt;
    if (listing.bytes[at + offsetof(dirent64, d_type)] == DT_CHR) return Entry{at, length};
    at += length;
  }
  return std::nullopt;
}

// Types to tell of the first character devices of a listing, and how many of them are known.
struct Types {
  std::array<uint8_t, 24> type;
  size_t count = 0;
};

// The name of the character device that comes behind `known` others; nullopt: there is none.
std::optional<Argument> NameOfDevice(Call& call, Room<Listing> room, size_t size, size_t known) {
  const Listing listing = call.Read(room);
  std::optional<Entry> entry = FirstDevice(listing, size, 0);
  for (; entry.has_value() && known > 0; --known) entry = FirstDevice(listing, size, entry->at + entry->length);
  if (!entry.has_value()) return std::nullopt;
  const char* const name = listing.bytes + entry->at + offsetof(dirent64, d_name);
  return call.Put({name, strnlen(name, entry->length - offsetof(dirent64, d_name))});
}

// DT_UNKNOWN for those that are not known: who wants to know asks for the status.
void CopyOutListing(Call& call, Room<Listing> room, size_t size, const Types& types) {
  Listing listing = call.Read(room);
  size_t known = 0;
  for (std::optional<Entry> entry = FirstDevice(listing, size, 0); entry.has_value();
       entry = FirstDevice(listing, size, entry->at + entry->length)) {
    const uint8_t type = known < types.count ? types.type[known] : static_cast<uint8_t>(DT_UNKNOWN);
    listing.bytes[entry->at + offsetof(dirent64, d_type)] = static_cast<char>(type);
    ++known;
  }
  if (size > 0) call.CopyOut(1, {listing.bytes, size});
}

// The type to tell of a file that the directory calls a character device.
Task<uint8_t> TypeOf(Call& call, Argument directory, Argument name) {
  constexpr uint32_t kRest = 4;
  if (call.RunsLeft() < kRest) co_return DT_UNKNOWN;
  const SysResultOr<FileStatus> file = co_await StatusOf(call, directory, name, AT_SYMLINK_NOFOLLOW);
  if (!file.ok()) co_return DT_UNKNOWN;
  const std::optional<Device> device = call.ShownDevice(file->inode);
  co_return device.has_value() && S_ISBLK(device->type) ? DT_BLK : DT_CHR;
}

}  // namespace

SysTask Fakeroot::Mknod(Call& call, Below below) const {
  const Argument here = AT_FDCWD;
  const SysResult result = co_await MakeNode(call, below, here, 0);
  co_return result;
}

SysTask Fakeroot::Mknodat(Call& call, Below below) const {
  const Argument directory = call.Pass(0);
  const SysResult result = co_await MakeNode(call, below, directory, 1);
  co_return result;
}

SysTask Fakeroot::ListDirectory(Call& call, Below below) const {
  const Room<Listing> room = call.MakeRoom<Listing>();
  const Argument directory = call.Pass(0);
  const uint64_t most = std::min<uint64_t>(call.Arg<uint32_t>(2), sizeof(Listing));
  const Call list = call.With(1, room).With(2, most);
  const SysResult result = co_await below(list);
  if (!result.ok()) co_return result;
  // By the word of the guest, which has made the call. What is listed is read again and again, for it is too long to be
  // kept with what the handler has.
  const size_t size = std::min<size_t>(result.value(), sizeof(Listing));
  Types types;
  std::optional<Argument> name = NameOfDevice(call, room, size, 0);
  while (name.has_value() && types.count < types.type.size()) {
    const Argument path = *name;
    const uint8_t type = co_await TypeOf(call, directory, path);
    types.type[types.count++] = type;
    name = NameOfDevice(call, room, size, types.count);
  }
  CopyOutListing(call, room, size, types);
  co_return SysResult::Ok(size);
}

}  // namespace guise::personalities
