// From errno to what an operator reads.
#ifndef GUISE_SERVER_LAUNCH_ERRNO_STATUS_H_
#define GUISE_SERVER_LAUNCH_ERRNO_STATUS_H_

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace guise::server {

// "<what>: <the error's text>[; <remedy>]". `what` names the object and what was tried. A limit of descriptors has its
// own remedy.
inline absl::Status ErrnoStatus(int error, absl::string_view what, absl::string_view remedy = "") {
  const absl::StatusCode code =
      (error == ENOSPC || error == EDQUOT) ? absl::StatusCode::kResourceExhausted : absl::ErrnoToStatusCode(error);
  if (error == EMFILE) remedy = "raise `ulimit -n` or close some";
  return absl::Status(code, absl::StrCat(what, ": ", strerror(error), remedy.empty() ? "" : "; ", remedy));
}

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_ERRNO_STATUS_H_
