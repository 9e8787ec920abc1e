#include "server/launch/fake_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/wire/fdsocket.h"
#include "proto/wire/version.h"
#include "server/launch/unix_address.h"

namespace guise::server {
namespace {

void Check(bool good, const char* what) {
  if (good) return;
  perror(what);
  abort();
}

OwnedFd MakeMemory(const char* name, uint64_t size) {
  OwnedFd memory(memfd_create(name, MFD_CLOEXEC));
  Check(static_cast<bool>(memory) && ftruncate(memory.get(), static_cast<off_t>(size)) == 0, "memfd");
  return memory;
}

void* MapAll(int fd, uint64_t size) {
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  Check(base != MAP_FAILED, "mmap");
  return base;
}

void SendReply(int socket, const wire::FdMessage& message, const std::vector<int>& fds) {
  iovec vector = {const_cast<wire::FdMessage*>(&message), sizeof(message)};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {};
  msghdr header = {};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
  }
  sendmsg(socket, &header, MSG_NOSIGNAL);
}

}  // namespace

FakeServer::FakeServer() {
  char name[] = "/tmp/guise-fake-XXXXXX";
  Check(mkdtemp(name) != nullptr, "mkdtemp");
  directory_ = name;
  path_ = directory_ + "/fd.sock";
  request_fd_ = MakeMemory("fake-request", wire::kRequestSize);
  reply_fd_ = MakeMemory("fake-reply", wire::kReplySizeDefault);
  store_fd_ = MakeMemory("fake-store", wire::kPageSize);
  reply_read_only_ = OwnedFd(open(absl::StrCat("/proc/self/fd/", reply_fd_.get()).c_str(), O_RDONLY | O_CLOEXEC));
  request_ = static_cast<wire::RequestGroup*>(MapAll(request_fd_.get(), wire::kRequestSize));
  reply_ = static_cast<wire::ReplyGroup*>(MapAll(reply_fd_.get(), wire::kReplySizeDefault));
  reply_->header.magic = wire::kReplyMagic;
  reply_->header.abi_min = wire::kAbiMin;
  reply_->header.abi_max = wire::kAbiMax;
  reply_->published.on_loss.Release(static_cast<uint32_t>(wire::OnLoss::kFail));

  const sockaddr_un address = *UnixAddress(path_);
  pid_ = fork();
  Check(pid_ >= 0, "fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    Check(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0, "bind");
    Check(listen(listener, 8) == 0, "listen");
    kill(getpid(), SIGSTOP);  // tells the parent that it listens
    Serve(listener);
  }
  int status = 0;
  Check(waitpid(pid_, &status, WUNTRACED) == pid_ && WIFSTOPPED(status), "fake server");
  kill(pid_, SIGCONT);
}

void FakeServer::Serve(int listener) const {
  for (;;) {
    const int peer = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    wire::FdMessage message = {};
    if (peer < 0 || recv(peer, &message, sizeof(message), 0) != sizeof(message)) continue;
    const bool known = message.session == kSession;
    message.error = known ? 0 : -ESRCH;
    message.pid = getpid();
    std::vector<int> fds;
    if (known) fds = {request_fd_.get(), reply_read_only_.get()};
    if (known && message.op == wire::FdOp::kAttach) fds.insert(fds.end(), {reply_fd_.get(), store_fd_.get()});
    SendReply(peer, message, fds);  // and the connection stays open
  }
}

void FakeServer::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

FakeServer::~FakeServer() {
  Kill();
  munmap(request_, wire::kRequestSize);
  munmap(reply_, wire::kReplySizeDefault);
  unlink(path_.c_str());
  rmdir(directory_.c_str());
}

void FakeServer::NoteGuest(uint32_t index, pid_t pid) const {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  wire::ProcessRecord& record = request_->processes[index];
  record.taken_at.StoreRelaxed(static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec));
  record.owner.Release(wire::Owner(1, static_cast<uint32_t>(pid)));
}

}  // namespace guise::server
