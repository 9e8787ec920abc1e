// The fd socket: SOCK_SEQPACKET beside the control socket; one message a request, one a reply; fds by SCM_RIGHTS.
#ifndef GUISE_PROTO_WIRE_FDSOCKET_H_
#define GUISE_PROTO_WIRE_FDSOCKET_H_

#include <stdint.h>

namespace guise::wire {

inline constexpr uint32_t kFdSocketMagic = 0x44465347;  // "GSFD"
inline constexpr uint32_t kFdSocketVersion = 1;

enum class FdOp : uint32_t {
  kAttach = 1,  // join as a keeper: reply carries request, reply (read-only), reply (keeper's), store. The connection
                // stays open for as long as the keeper keeps; its end tells the server that the keeper is gone.
  kGuest = 2,   // reply carries request and reply (read-only): for one more guest (exec into a session)
};

struct FdMessage {
  uint32_t magic;
  uint32_t version;
  FdOp op;
  uint32_t session;
  int32_t error;  // reply: 0 or -errno
  int32_t pid;    // reply: the server's process id
  uint64_t reserved;
};
static_assert(sizeof(FdMessage) == 32);

// Order of the fds in a reply.
enum FdIndex { kFdRequest = 0, kFdReply = 1, kFdReplyKeeper = 2, kFdStore = 3, kFdPidfd = 4 };

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_FDSOCKET_H_
