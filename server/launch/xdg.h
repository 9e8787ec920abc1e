// Where a user's files lie. ABI: the XDG base directory specification: a path that is not absolute is none.
#ifndef GUISE_SERVER_LAUNCH_XDG_H_
#define GUISE_SERVER_LAUNCH_XDG_H_

#include <stdlib.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace guise::server {

// Guise's directory in that which `variable` names ("XDG_CONFIG_HOME"), else in `below_home` ("/.config") of the home.
// Empty: there is no place for one.
inline std::string XdgDirectory(const char* variable, const char* below_home) {
  const char* const xdg = getenv(variable);
  if (xdg != nullptr && *xdg == '/') return absl::StrCat(xdg, "/guise");
  const char* const home = getenv("HOME");
  return home != nullptr && *home == '/' ? absl::StrCat(home, below_home, "/guise") : "";
}

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_XDG_H_
