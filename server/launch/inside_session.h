// What a guest hears that would command a server: from the server itself, or from `guise` where it finds none, since a
// guest that believes to be another user looks for that one's server.
#ifndef GUISE_SERVER_LAUNCH_INSIDE_SESSION_H_
#define GUISE_SERVER_LAUNCH_INSIDE_SESSION_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace guise::server {

// PERMISSION_DENIED. `who`: the process, as the reader knows it ("this process", "process 7").
inline absl::Status InsideSessionError(absl::string_view who) {
  return absl::PermissionDeniedError(
      absl::StrCat(who, " is inside a session, and a session does not command its server; call `guise` from outside"));
}

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_INSIDE_SESSION_H_
