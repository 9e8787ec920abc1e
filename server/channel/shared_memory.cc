#include "server/channel/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/wire/published.h"
#include "proto/wire/request.h"
#include "proto/wire/version.h"
#include "server/reactor/read_only_file.h"

namespace guise::server {
namespace {

// ABI: include/uapi/linux/memfd.h, Linux 6.3; Debian 12's headers lack it.
constexpr unsigned kNoExecSeal = 0x0008;

constexpr const char* kRequestName = "guise-request";
constexpr const char* kReplyName = "guise-reply";

absl::Status Failed(const char* what, const char* name) {
  const int error = errno;
  const char* remedy = error == EMFILE || error == ENFILE ? "; raise the limit of open files (ulimit -n)"
                       : error == ENOMEM
                           ? "; the server has the limits of memory that it was started with (ulimit -v): "
                             "`guise server stop`, and start it without"
                           : "";
  return absl::ResourceExhaustedError(absl::StrCat("cannot ", what, " a session's memory ", name, ": ",
                                                   std::generic_category().message(error), remedy));
}

absl::Status Write(const SharedMemory& memory, const void* bytes, size_t size, uint64_t offset, const char* name) {
  if (pwrite(memory.fd(), bytes, size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size)) {
    return Failed("write to", name);
  }
  return absl::OkStatus();
}

}  // namespace

SharedMemory::SharedMemory(SharedMemory&& other) noexcept { *this = std::move(other); }

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(inode_, other.inode_);
  std::swap(device_, other.device_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) munmap(data_, size_);
}

absl::StatusOr<SharedMemory> SharedMemory::Create(const char* name, uint64_t size, Access access) {
  SharedMemory memory;
  memory.fd_ = OwnedFd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | kNoExecSeal));
  if (!memory.fd_ && errno == EINVAL) memory.fd_ = OwnedFd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.fd_) return Failed("make", name);
  if (ftruncate(memory.fd(), static_cast<off_t>(size)) != 0) return Failed("size", name);
  if (fcntl(memory.fd(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return Failed("seal", name);
  const int protection = access == Access::kRead ? PROT_READ : PROT_READ | PROT_WRITE;
  void* data = mmap(nullptr, size, protection, MAP_SHARED | MAP_NORESERVE, memory.fd(), 0);
  if (data == MAP_FAILED) return Failed("map", name);
  memory.data_ = static_cast<char*>(data);
  memory.size_ = size;
  struct stat status = {};
  if (fstat(memory.fd(), &status) != 0) return Failed("inspect", name);
  memory.inode_ = status.st_ino;
  memory.device_ = status.st_dev;
  return memory;
}

absl::StatusOr<std::unique_ptr<SessionMemories>> SessionMemories::Create(uint32_t session, uint64_t reply_size) {
  auto memories = std::make_unique<SessionMemories>();
  struct Wanted {
    SharedMemory SessionMemories::*member;
    const char* name;
    uint64_t size;
    SharedMemory::Access access;
  };
  const Wanted all[] = {
      {&SessionMemories::request, kRequestName, wire::kRequestSize, SharedMemory::Access::kRead},
      {&SessionMemories::reply, kReplyName, reply_size, SharedMemory::Access::kReadWrite},
  };
  for (const Wanted& wanted : all) {
    absl::StatusOr<SharedMemory> memory = SharedMemory::Create(wanted.name, wanted.size, wanted.access);
    if (!memory.ok()) return memory.status();
    (*memories).*(wanted.member) = *std::move(memory);
  }

  wire::RequestHeader request = {};
  request.magic = wire::kRequestMagic;
  request.abi_min = wire::kAbiMin;
  request.abi_max = wire::kAbiMax;
  request.session = session;
  request.features = wire::kFeatures;
  request.size = wire::kRequestSize;
  const uint64_t root = offsetof(wire::RequestGroup, root);
  absl::Status status = Write(memories->request, &request, sizeof(request), root, kRequestName);
  if (!status.ok()) return status;

  wire::ReplyHeader reply = {};
  reply.magic = wire::kReplyMagic;
  reply.abi_min = wire::kAbiMin;
  reply.abi_max = wire::kAbiMax;
  reply.session = session;
  reply.features = wire::kFeatures;
  reply.size = reply_size;
  status = Write(memories->reply, &reply, sizeof(reply), 0, kReplyName);
  if (!status.ok()) return status;

  memories->reply_alone_ = memories->OpenReplyForGuests();
  if (!memories->reply_alone_) return Failed("open read-only (is /proc mounted?)", kReplyName);
  return memories;
}

OwnedFd SessionMemories::OpenReplyForGuests() const { return OpenReadOnly(absl::StrCat("/proc/self/fd/", reply.fd())); }

bool SessionMemories::IsHeldByGuests() const { return !IsOnlyReader(reply_alone_.get()); }

absl::Status SessionMemories::WriteTextRules(const std::string& rules) {
  return Write(reply, rules.data(), rules.size(), wire::kTextRulesOffset, kReplyName);
}

}  // namespace guise::server
