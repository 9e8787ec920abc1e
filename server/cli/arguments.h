// Arguments that several commands take.
#ifndef GUISE_SERVER_CLI_ARGUMENTS_H_
#define GUISE_SERVER_CLI_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/control/v1/sessions.pb.h"

namespace guise::server {

// "fakeroot,legacy:el6": names, leftmost nearest the guest. An argument that begins with "./" or "../" is a path from
// the working directory, and made absolute. INVALID_ARGUMENT: empty, or an empty name.
absl::StatusOr<v1::Stack> ParseStack(absl::string_view text);

// "getuid=server", "all=server", "getuid=default".
absl::StatusOr<v1::PlacementOverride> ParsePlacement(absl::string_view text);

// "TERM", "SIGTERM", "15".
absl::StatusOr<int> ParseSignal(absl::string_view text);

// What is in a file that an option names. INVALID_ARGUMENT: it cannot be read, or is longer than 1 MiB; the
// message says `what` it is.
absl::StatusOr<std::string> ReadTextFile(absl::string_view what, const std::string& path);

// The stack as ParseStack reads it.
std::string StackText(const v1::Stack& stack);

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_ARGUMENTS_H_
