// A server's fd socket for tests: a process of its own, so that it can be killed.
#ifndef GUISE_SERVER_LAUNCH_FAKE_SERVER_H_
#define GUISE_SERVER_LAUNCH_FAKE_SERVER_H_

#include <sys/types.h>

#include <string>

#include "proto/wire/published.h"
#include "proto/wire/request.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {

// The memories of one session, mapped, laid out as a server does, and a process that hands them out. Killed and removed
// on destruction. Aborts the test when it cannot be made.
class FakeServer {
 public:
  static constexpr uint32_t kSession = 0x1234abcd;

  FakeServer();
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  // Of the SEQPACKET socket. A request for another session is answered with -ESRCH.
  const std::string& path() const { return path_; }
  pid_t pid() const { return pid_; }

  // SIGKILL, and waits for the end.
  void Kill();

  wire::RequestGroup& request() const { return *request_; }
  wire::ReplyGroup& reply() const { return *reply_; }
  void* panics() const { return reinterpret_cast<char*>(request_) + wire::kPanicOffset; }

  // Notes `pid` in process record `index` of the first group, taken now.
  void NoteGuest(uint32_t index, pid_t pid) const;

 private:
  [[noreturn]] void Serve(int listener) const;

  std::string directory_;
  std::string path_;
  OwnedFd request_fd_;
  OwnedFd reply_fd_;
  OwnedFd reply_read_only_;
  OwnedFd store_fd_;
  wire::RequestGroup* request_ = nullptr;
  wire::ReplyGroup* reply_ = nullptr;
  pid_t pid_ = -1;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_FAKE_SERVER_H_
