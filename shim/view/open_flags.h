// How a call opens a file.
#ifndef GUISE_SHIM_VIEW_OPEN_FLAGS_H_
#define GUISE_SHIM_VIEW_OPEN_FLAGS_H_

#include <linux/openat2.h>

#include "shim/gate/call.h"
#include "shim/guest_memory.h"

namespace guise::shim {

// The open flags of a call that opens by path; false: another call, or they cannot be read.
inline bool OpenFlags(const GuestCall& call, uint64_t* flags) {
  switch (call.nr) {
    case syscall::Nr::open:
      *flags = call.args[1];
      return true;
    case syscall::Nr::openat:
      *flags = call.args[2];
      return true;
    case syscall::Nr::openat2:
      return ReadGuest(flags, call.args[2] + offsetof(open_how, flags));
    default:
      return false;
  }
}

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_OPEN_FLAGS_H_
