// One gRPC call with one answer, on a connection of its own, without gRPC: starting and ending gRPC's six threads is
// most of what a short command takes otherwise.
//
// HTTP/2 (RFC 9113) and gRPC over HTTP/2, for one stream that ends the connection. The server is the user's own
// (runtime_directory.h); what it sends is checked nevertheless, and answers have a size that they keep to.
#ifndef GUISE_SERVER_CLI_UNARY_CALL_H_
#define GUISE_SERVER_CLI_UNARY_CALL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace guise::server {

// Returns the response's bytes. `socket`: a stream socket to the server, which nothing was written to; borrowed, and
// good for nothing afterwards. `path`: "/package.Service/Method", shorter than 127 bytes.
// Errors: the server's own; UNAVAILABLE (the connection has ended), DEADLINE_EXCEEDED, INTERNAL (no gRPC is spoken
// there), RESOURCE_EXHAUSTED (the answer is longer than kLongestAnswer).
absl::StatusOr<std::string> UnaryCall(int socket, absl::string_view path, absl::string_view request,
                                      absl::Duration timeout);

// gRPC's own limit.
inline constexpr size_t kLongestAnswer = 4 << 20;

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_UNARY_CALL_H_
