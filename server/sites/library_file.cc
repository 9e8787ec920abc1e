#include "server/sites/library_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/launch/errno_status.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

constexpr char kName[] = "sites";
constexpr char kNewName[] = "sites.new";
constexpr char kMagic[] = "guise sites 2\n";
constexpr size_t kMagicSize = sizeof(kMagic) - 1;
constexpr off_t kMostBytes = 4 << 20;

uint32_t Checksum(const std::string& bytes) {
  return static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

bool ReadAll(int fd, std::string* bytes) {
  size_t done = 0;
  while (done < bytes->size()) {
    const ssize_t got = read(fd, bytes->data() + done, bytes->size() - done);
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

bool WriteAll(int fd, const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written = write(fd, bytes.data() + done, bytes.size() - done);
    if (written <= 0) return false;
    done += static_cast<size_t>(written);
  }
  return true;
}

// The directory, if it is the caller's own; the others are not to be led elsewhere.
absl::StatusOr<OwnedFd> OpenDirectory(const std::string& directory) {
  OwnedFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status = {};
  if (!fd || fstat(fd.get(), &status) != 0) return ErrnoStatus(errno, absl::StrCat("cannot open ", directory));
  if (status.st_uid != geteuid()) return absl::PermissionDeniedError(absl::StrCat(directory, " is another user's"));
  return fd;
}

// It and its own directory: a home that is not there is not made.
void MakeDirectory(const std::string& directory) {
  mkdir(directory.substr(0, directory.rfind('/')).c_str(), 0700);
  mkdir(directory.c_str(), 0700);
}

}  // namespace

absl::StatusOr<sites::Library> ReadLibrary(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kName);
  const absl::StatusOr<OwnedFd> place = OpenDirectory(directory);
  if (!place.ok()) return place.status();
  const OwnedFd fd(openat(place->get(), kName, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  if (!fd) return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  struct stat status = {};
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
      status.st_size > kMostBytes) {
    return absl::DataLossError(absl::StrCat(path, " is no site book of this user's"));
  }
  std::string bytes(static_cast<size_t>(status.st_size), 0);
  uint32_t checksum = 0;
  sites::Library library;
  if (bytes.size() < kMagicSize + sizeof(checksum) || !ReadAll(fd.get(), &bytes) ||
      bytes.compare(0, kMagicSize, kMagic) != 0) {
    return absl::DataLossError(absl::StrCat(path, " is no site book of this version"));
  }
  memcpy(&checksum, bytes.data() + kMagicSize, sizeof(checksum));
  bytes.erase(0, kMagicSize + sizeof(checksum));
  if (Checksum(bytes) != checksum || !library.ParseFromString(bytes)) {
    return absl::DataLossError(absl::StrCat(path, " is damaged"));
  }
  return library;
}

absl::Status WriteLibrary(const std::string& directory, const sites::Library& library) {
  std::string message;
  if (!library.SerializeToString(&message)) return absl::InternalError("a site book cannot be written down");
  const uint32_t checksum = Checksum(message);
  std::string bytes(kMagic, kMagicSize);
  bytes.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
  bytes += message;

  MakeDirectory(directory);
  const absl::StatusOr<OwnedFd> place = OpenDirectory(directory);
  if (!place.ok()) return place.status();
  // One server writes at a time; what a dead one has left is written over.
  if (flock(place->get(), LOCK_EX | LOCK_NB) != 0) return ErrnoStatus(errno, absl::StrCat("cannot lock ", directory));
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  const OwnedFd fd(openat(place->get(), kNewName, kFlags, 0600));
  if (!fd) return ErrnoStatus(errno, absl::StrCat("cannot write in ", directory));
  if (!WriteAll(fd.get(), bytes) || renameat(place->get(), kNewName, place->get(), kName) != 0) {
    const int error = errno;
    unlinkat(place->get(), kNewName, 0);
    return ErrnoStatus(error, absl::StrCat("cannot write ", directory, "/", kName));
  }
  return absl::OkStatus();
}

}  // namespace guise::server
