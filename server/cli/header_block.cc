#include "server/cli/header_block.h"

#include <iterator>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"

namespace guise::server {
namespace {

// RFC 7541, appendix A: entries of the static table that have ":status" as their name.
constexpr uint32_t kFirstStatus = 8;
constexpr int kStatuses[] = {200, 204, 206, 304, 400, 404, 500};
constexpr uint32_t kLastStatic = 61;

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  bool done() const { return bytes_.empty(); }
  uint8_t Peek() const { return static_cast<uint8_t>(bytes_[0]); }

  // RFC 7541, 5.1. Nothing: it goes beyond the block, or beyond what a block can need.
  std::optional<uint32_t> Integer(int prefix_bits) {
    if (bytes_.empty()) return std::nullopt;
    const uint32_t most = (1u << prefix_bits) - 1;
    uint32_t value = Peek() & most;
    bytes_.remove_prefix(1);
    if (value < most) return value;
    constexpr int kMostShift = 21;
    for (int shift = 0; shift <= kMostShift; shift += 7) {
      if (bytes_.empty()) return std::nullopt;
      const uint8_t byte = Peek();
      bytes_.remove_prefix(1);
      value += static_cast<uint32_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  // RFC 7541, 5.2. In Huffman's code it is passed over, and empty.
  std::optional<absl::string_view> String() {
    if (bytes_.empty()) return std::nullopt;
    const bool is_coded = (Peek() & 0x80) != 0;
    const std::optional<uint32_t> length = Integer(7);
    if (!length.has_value() || *length > bytes_.size()) return std::nullopt;
    const absl::string_view string = bytes_.substr(0, *length);
    bytes_.remove_prefix(*length);
    return is_coded ? absl::string_view() : string;
  }

 private:
  absl::string_view bytes_;
};

absl::Status Broken() { return absl::InternalError("the server's answer has headers that cannot be read"); }

// gRPC over HTTP/2: what is not printable in a message, and the percent sign, is a percent sign and two digits.
std::string Unescaped(absl::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_escape =
        text[i] == '%' && i + 2 < text.size() && absl::ascii_isxdigit(text[i + 1]) && absl::ascii_isxdigit(text[i + 2]);
    plain += is_escape ? absl::HexStringToBytes(text.substr(i + 1, 2)) : std::string(1, text[i]);
    if (is_escape) i += 2;
  }
  return plain;
}

}  // namespace

absl::StatusOr<ResponseHeaders> ReadHeaderBlock(absl::string_view block) {
  ResponseHeaders headers;
  for (Reader reader(block); !reader.done();) {
    const uint8_t kind = reader.Peek();
    if ((kind & 0xe0) == 0x20) {  // the dynamic table's size
      if (!reader.Integer(5).has_value()) return Broken();
      continue;
    }
    const bool is_whole = (kind & 0x80) != 0;
    const std::optional<uint32_t> index = reader.Integer(is_whole ? 7 : (kind & 0x40) != 0 ? 6 : 4);
    if (!index.has_value() || *index > kLastStatic || (is_whole && *index == 0)) return Broken();
    const bool is_status = *index >= kFirstStatus && *index < kFirstStatus + std::size(kStatuses);
    if (is_whole) {
      if (is_status) headers.http_status = kStatuses[*index - kFirstStatus];
      continue;
    }
    std::optional<absl::string_view> name = "";
    if (*index == 0) name = reader.String();
    if (!name.has_value()) return Broken();
    const std::optional<absl::string_view> value = reader.String();
    if (!value.has_value()) return Broken();
    if (is_status || *name == ":status") {
      if (!absl::SimpleAtoi(*value, &headers.http_status)) return Broken();
    } else if (*name == "grpc-status") {
      if (!absl::SimpleAtoi(*value, &headers.grpc_status) || headers.grpc_status < 0) return Broken();
    } else if (*name == "grpc-message") {
      headers.grpc_message = Unescaped(*value);
    }
  }
  return headers;
}

void AppendHeader(absl::string_view name, absl::string_view value, std::string* block) {
  block->push_back(0);  // not for a table
  for (const absl::string_view string : {name, value}) {
    block->push_back(static_cast<char>(string.size()));
    block->append(string.data(), string.size());
  }
}

}  // namespace guise::server
