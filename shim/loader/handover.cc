#include "shim/loader/handover.h"

#include "proto/wire/handover.h"
#include "proto/wire/version.h"
#include "shim/memory.h"

namespace guise::shim {
namespace {

bool ReadField(const char** at, int64_t* value) { return ReadNumber(at, value) && *(*at)++ == ':'; }

}  // namespace

bool ParseHandover(const char* variable, Handover* handover) {
  if (!StartsWith(variable, wire::kHandoverName)) return false;
  const char* at = variable + Length(wire::kHandoverName);
  int64_t abi, image, request, reply, flags, mask, target;
  if (!ReadField(&at, &abi) || !ReadField(&at, &image) || !ReadField(&at, &request) || !ReadField(&at, &reply) ||
      !ReadField(&at, &flags) || !ReadField(&at, &mask) || !ReadField(&at, &target)) {
    return false;
  }
  if (abi < wire::kAbiMin || abi > wire::kAbiMax) return false;
  *handover = {.image_fd = static_cast<int32_t>(image),
               .request_fd = static_cast<int32_t>(request),
               .reply_fd = static_cast<int32_t>(reply),
               .flags = static_cast<uint32_t>(flags),
               .mask = static_cast<uint64_t>(mask),
               .target_fd = static_cast<int32_t>(target),
               .path = at};
  return true;
}

}  // namespace guise::shim
