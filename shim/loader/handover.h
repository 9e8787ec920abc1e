// Reading the private variable (proto/wire/handover.h).
#ifndef GUISE_SHIM_LOADER_HANDOVER_H_
#define GUISE_SHIM_LOADER_HANDOVER_H_

#include <stdint.h>

namespace guise::shim {

struct Handover {
  int32_t image_fd;
  int32_t request_fd;
  int32_t reply_fd;
  uint32_t flags;
  uint64_t mask;      // a SignalSet
  int32_t target_fd;  // -1: to be resolved
  const char* path;   // points into the variable
};

// False: not the private variable, or of a version that this image does not speak.
bool ParseHandover(const char* variable, Handover* handover);

}  // namespace guise::shim

#endif  // GUISE_SHIM_LOADER_HANDOVER_H_
