// What ioctl(2) is given that is an fd, by the command alone: as Documentation/userspace-api/ioctl/ioctl-number.rst has
// it, a command is one driver's.
#ifndef GUISE_SHIM_VIEW_FD_IOCTLS_H_
#define GUISE_SHIM_VIEW_FD_IOCTLS_H_

#include <stddef.h>
#include <stdint.h>

namespace guise::shim {

inline constexpr size_t kMostFdFields = 4;
struct FdFields {
  uint8_t count;
  uint8_t at[kMostFdFields];  // bytes into the structure
};

// Whether the third argument is an fd.
bool IsFdOfIoctl(uint32_t command);
// Where the structure has fds that the third argument points to.
FdFields FieldsOfIoctl(uint32_t command);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_FD_IOCTLS_H_
