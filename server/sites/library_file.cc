#include "server/sites/library_file.h"

#include <fcntl.h>
#include <stdio.h>
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

constexpr char kName[] = "/sites";
constexpr char kMagic[] = "guise sites 1\n";
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

// Each that is missing.
bool MakeDirectories(const std::string& path) {
  for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    mkdir(path.substr(0, at).c_str(), 0700);
  }
  return mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

}  // namespace

absl::StatusOr<sites::Library> ReadLibrary(const std::string& directory) {
  const std::string path = absl::StrCat(directory, kName);
  const OwnedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
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

  if (!MakeDirectories(directory)) return ErrnoStatus(errno, absl::StrCat("cannot make ", directory));
  std::string temporary = absl::StrCat(directory, kName, ".XXXXXX");
  const OwnedFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, absl::StrCat("cannot write in ", directory));
  const std::string path = absl::StrCat(directory, kName);
  if (!WriteAll(fd.get(), bytes) || rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    return ErrnoStatus(error, absl::StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

}  // namespace guise::server
