// The server's main, for a program that says which personalities it hosts.
#ifndef GUISE_SERVER_DAEMON_MAIN_H_
#define GUISE_SERVER_DAEMON_MAIN_H_

#include "absl/types/span.h"
#include "personalities/api/personality.h"

namespace guise::server {

// Parses the command line, serves until told to end, returns the exit code.
int DaemonMain(int argc, char** argv, absl::Span<const api::Registration> personalities);

}  // namespace guise::server

#endif  // GUISE_SERVER_DAEMON_MAIN_H_
