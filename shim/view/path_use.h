// What calls do with their paths.
#ifndef GUISE_SHIM_VIEW_PATH_USE_H_
#define GUISE_SHIM_VIEW_PATH_USE_H_

#include <stddef.h>
#include <stdint.h>

#include "proto/syscall/table.h"
#include "shim/gate/call.h"
#include "shim/view/hidden_path.h"

namespace guise::shim {

constexpr bool IsPath(const syscall::Row& row, size_t position) {
  return row.args[position].kind == syscall::ArgKind::Path;
}

// The next position of a path from one on; kMaxArgs: none.
constexpr size_t NextPath(const syscall::Row& row, size_t from) {
  while (from < syscall::kMaxArgs && !IsPath(row, from)) ++from;
  return from;
}

struct PathUse {
  size_t at;  // its position
  int32_t directory;
  LastLink link;
  bool makes;  // what the path names, if it is not there
};

// `row` is the call's. REQUIRES: at its position `at` is a path, or what may be one (mount(2)'s source).
PathUse UseOfPath(const GuestCall& call, const syscall::Row& row, size_t at);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_PATH_USE_H_
