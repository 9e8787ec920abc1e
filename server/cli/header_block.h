// Header blocks of HTTP/2, as far as the answer to a gRPC call needs them: RFC 7541 (HPACK) without a dynamic table,
// which who reads with this asks the other side for, and without Huffman's code, which gRPC does not use for text.
//
// No state, no allocation that the block's own size does not bound; any bytes may come.
#ifndef GUISE_SERVER_CLI_HEADER_BLOCK_H_
#define GUISE_SERVER_CLI_HEADER_BLOCK_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace guise::server {

// What a response's headers or trailers say.
struct ResponseHeaders {
  int http_status = 0;       // 0: they do not say
  int grpc_status = -1;      // -1: they do not say
  std::string grpc_message;  // for people
};

// INTERNAL: it is no header block, or one that was not asked for.
absl::StatusOr<ResponseHeaders> ReadHeaderBlock(absl::string_view block);

// Appends a header that the other side is not to remember. REQUIRES: both are shorter than 127 bytes.
void AppendHeader(absl::string_view name, absl::string_view value, std::string* block);

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_HEADER_BLOCK_H_
