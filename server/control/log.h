// The server's log: lines with time and process id on stderr, which guised points at server.log.
#ifndef GUISE_SERVER_CONTROL_LOG_H_
#define GUISE_SERVER_CONTROL_LOG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace guise::server {

// One write(2) a line, so lines of several threads do not mix. Thread-safe.
void Log(absl::string_view line);

// Makes stdout and stderr append to `path`, which is made with mode 0600. A log that has grown beyond a mebibyte is
// kept as `path`.1 and begun anew. Errors: RESOURCE_EXHAUSTED (file system full) and others as the system's.
absl::Status LogTo(const std::string& path);

}  // namespace guise::server

#endif  // GUISE_SERVER_CONTROL_LOG_H_
