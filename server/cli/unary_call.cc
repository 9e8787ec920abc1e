#include "server/cli/unary_call.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/cli/header_block.h"

namespace guise::server {
namespace {

constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr uint32_t kStream = 1;
constexpr size_t kFrameHeader = 9;
constexpr size_t kMessageHeader = 5;  // of gRPC: whether it is compressed, and the length
// RFC 9113, 6.5.2: until the other side says something else.
constexpr size_t kLargestFrame = 16384;
constexpr int64_t kFirstWindow = 65535;
constexpr int64_t kLargestWindow = 0x7fffffff;

enum class Type : uint8_t {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kAck = 1;
constexpr uint8_t kEndHeaders = 4;
constexpr uint8_t kPadded = 8;
constexpr uint8_t kPriority = 0x20;

enum class Setting : uint16_t { kHeaderTableSize = 1, kEnablePush = 2, kInitialWindowSize = 4 };

struct Frame {
  Type type = Type::kData;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;

  bool Has(uint8_t flag) const { return (flags & flag) != 0; }
};

void Append16(uint16_t value, std::string* bytes) {
  bytes->push_back(static_cast<char>(value >> 8));
  bytes->push_back(static_cast<char>(value));
}
void Append32(uint32_t value, std::string* bytes) {
  Append16(static_cast<uint16_t>(value >> 16), bytes);
  Append16(static_cast<uint16_t>(value), bytes);
}
// REQUIRES: there are as many bytes.
uint32_t Read(absl::string_view bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

void AppendFrame(Type type, uint8_t flags, uint32_t stream, absl::string_view payload, std::string* bytes) {
  bytes->push_back(static_cast<char>(payload.size() >> 16));
  Append16(static_cast<uint16_t>(payload.size()), bytes);
  bytes->push_back(static_cast<char>(type));
  bytes->push_back(static_cast<char>(flags));
  Append32(stream, bytes);
  bytes->append(payload.data(), payload.size());
}

void AppendSetting(Setting setting, uint32_t value, std::string* payload) {
  Append16(static_cast<uint16_t>(setting), payload);
  Append32(value, payload);
}

absl::Status Broken(absl::string_view what) {
  return absl::InternalError(absl::StrCat("the server's answer is not gRPC's: ", what));
}
absl::Status Ended() { return absl::UnavailableError("the server has closed the connection"); }

class Conversation {
 public:
  Conversation(int socket, absl::Time deadline) : socket_(socket), deadline_(deadline) {}

  absl::Status Ask(absl::string_view path, absl::string_view request, absl::Duration timeout) {
    std::string first(kPreface);
    std::string settings;
    AppendSetting(Setting::kHeaderTableSize, 0, &settings);
    AppendSetting(Setting::kEnablePush, 0, &settings);
    AppendSetting(Setting::kInitialWindowSize, kLargestWindow, &settings);
    AppendFrame(Type::kSettings, 0, 0, settings, &first);
    std::string window;
    Append32(kLargestWindow - kFirstWindow, &window);
    AppendFrame(Type::kWindowUpdate, 0, 0, window, &first);
    std::string headers;
    AppendHeader(":method", "POST", &headers);
    AppendHeader(":scheme", "http", &headers);
    AppendHeader(":path", path, &headers);
    AppendHeader(":authority", "guised", &headers);
    AppendHeader("te", "trailers", &headers);
    AppendHeader("content-type", "application/grpc", &headers);
    constexpr int64_t kLongest = 99'999'999;  // the header has eight digits
    AppendHeader("grpc-timeout", absl::StrCat(std::min(absl::ToInt64Milliseconds(timeout), kLongest), "m"), &headers);
    AppendFrame(Type::kHeaders, kEndHeaders, kStream, headers, &first);
    std::string message(1, '\0');
    Append32(static_cast<uint32_t>(request.size()), &message);
    message.append(request.data(), request.size());
    return Send(std::move(first), message);
  }

  // The answer's message, or its status.
  absl::StatusOr<std::string> Hear() {
    while (!ended_) {
      if (absl::Status status = Take(); !status.ok()) return status;
    }
    if (headers_.http_status != 200) return Broken(absl::StrCat("HTTP status ", headers_.http_status));
    if (headers_.grpc_status < 0) return Broken("there is no status");
    if (headers_.grpc_status != 0) {
      return absl::Status(static_cast<absl::StatusCode>(headers_.grpc_status), headers_.grpc_message);
    }
    if (data_.size() < kMessageHeader || data_[0] != 0 || Read(data_, 1, 4) != data_.size() - kMessageHeader) {
      return Broken("it has not one message");
    }
    return data_.substr(kMessageHeader);
  }

 private:
  // `first`, and the message in as many frames as it needs.
  absl::Status Send(std::string first, absl::string_view message) {
    while (!message.empty()) {
      const int64_t room = std::min(connection_window_, stream_window_);
      const size_t size = std::min({message.size(), kLargestFrame, static_cast<size_t>(std::max<int64_t>(room, 0))});
      if (size > 0) {
        const bool is_last = size == message.size();
        AppendFrame(Type::kData, is_last ? kEndStream : 0, kStream, message.substr(0, size), &first);
        message.remove_prefix(size);
        connection_window_ -= static_cast<int64_t>(size);
        stream_window_ -= static_cast<int64_t>(size);
      }
      if (absl::Status status = Write(first); !status.ok()) return status;
      first.clear();
      if (message.empty() || size > 0) continue;
      if (absl::Status status = Take(); !status.ok()) return status;
      if (ended_) return absl::OkStatus();  // with an error, which it hears
    }
    return absl::OkStatus();
  }

  // Reads a frame, and does what it says.
  absl::Status Take() {
    absl::StatusOr<Frame> read = ReadFrame();
    if (!read.ok()) return read.status();
    Frame frame = *std::move(read);
    if (in_headers_ != (frame.type == Type::kContinuation)) return Broken("headers are torn");
    switch (frame.type) {
      case Type::kSettings:
        return TakeSettings(frame);
      case Type::kPing: {
        if (frame.Has(kAck)) return absl::OkStatus();
        std::string answer;
        AppendFrame(Type::kPing, kAck, 0, frame.payload, &answer);
        return Write(answer);
      }
      case Type::kWindowUpdate:
        if (frame.payload.size() != 4) return Broken("a window's update");
        (frame.stream == 0 ? connection_window_ : stream_window_) += Read(frame.payload, 0, 4) & 0x7fffffff;
        return absl::OkStatus();
      case Type::kGoAway:
        // Without the call's number, the call is not made.
        if (frame.payload.size() < 8 || Read(frame.payload, 0, 4) < kStream) return Ended();
        return absl::OkStatus();
      case Type::kReset:
        return absl::UnavailableError("the server has broken the call off");
      case Type::kData:
        return TakeData(frame);
      case Type::kHeaders:
      case Type::kContinuation:
        return TakeHeaders(frame);
    }
    return absl::OkStatus();  // RFC 9113, 5.5: what is not known is passed over
  }

  absl::Status TakeSettings(const Frame& frame) {
    if (frame.Has(kAck)) return absl::OkStatus();
    constexpr size_t kSize = 6;
    for (size_t at = 0; at + kSize <= frame.payload.size(); at += kSize) {
      if (static_cast<Setting>(Read(frame.payload, at, 2)) != Setting::kInitialWindowSize) continue;
      const int64_t window = Read(frame.payload, at + 2, 4);
      stream_window_ += window - initial_window_;
      initial_window_ = window;
    }
    std::string answer;
    AppendFrame(Type::kSettings, kAck, 0, "", &answer);
    return Write(answer);
  }

  absl::Status TakeData(Frame& frame) {
    if (absl::Status status = RemovePadding(frame, 0); !status.ok()) return status;
    if (data_.size() + frame.payload.size() > kLongestAnswer + kMessageHeader) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the server's answer is longer than ", kLongestAnswer, " bytes"));
    }
    data_ += frame.payload;
    ended_ = frame.Has(kEndStream);
    return absl::OkStatus();
  }

  absl::Status TakeHeaders(Frame& frame) {
    if (frame.type == Type::kHeaders) {
      constexpr size_t kPriorityBytes = 5;
      if (absl::Status status = RemovePadding(frame, frame.Has(kPriority) ? kPriorityBytes : 0); !status.ok()) {
        return status;
      }
      block_.clear();
      ends_with_headers_ = frame.Has(kEndStream);
    }
    if (block_.size() + frame.payload.size() > kLongestAnswer) return Broken("headers without an end");
    block_ += frame.payload;
    in_headers_ = !frame.Has(kEndHeaders);
    if (in_headers_) return absl::OkStatus();
    absl::StatusOr<ResponseHeaders> headers = ReadHeaderBlock(block_);
    if (!headers.ok()) return headers.status();
    if (headers->http_status == 0) headers->http_status = headers_.http_status;
    headers_ = *std::move(headers);
    ended_ = ends_with_headers_;
    return absl::OkStatus();
  }

  // And `leading` bytes behind the padding's length.
  static absl::Status RemovePadding(Frame& frame, size_t leading) {
    size_t padding = 0;
    if (frame.Has(kPadded)) {
      if (frame.payload.empty()) return Broken("padding");
      padding = Read(frame.payload, 0, 1);
      ++leading;
    }
    if (leading + padding > frame.payload.size()) return Broken("padding");
    frame.payload = frame.payload.substr(leading, frame.payload.size() - leading - padding);
    return absl::OkStatus();
  }

  absl::StatusOr<Frame> ReadFrame() {
    if (absl::Status status = Fill(kFrameHeader); !status.ok()) return status;
    const size_t length = Read(buffer_, 0, 3);
    // Larger ones were not asked for.
    if (length > kLargestFrame) return Broken("a frame's length");
    if (absl::Status status = Fill(kFrameHeader + length); !status.ok()) return status;
    Frame frame;
    frame.type = static_cast<Type>(buffer_[3]);
    frame.flags = static_cast<uint8_t>(buffer_[4]);
    frame.stream = Read(buffer_, 5, 4) & 0x7fffffff;
    frame.payload = buffer_.substr(kFrameHeader, length);
    buffer_.erase(0, kFrameHeader + length);
    return frame;
  }

  absl::Status Fill(size_t size) {
    while (buffer_.size() < size) {
      if (absl::Status status = Await(POLLIN); !status.ok()) return status;
      char bytes[4096];
      const ssize_t length = recv(socket_, bytes, sizeof(bytes), MSG_DONTWAIT);
      if (length < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (length <= 0) return Ended();
      buffer_.append(bytes, static_cast<size_t>(length));
    }
    return absl::OkStatus();
  }

  absl::Status Write(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t length = send(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (length >= 0) {
        bytes.remove_prefix(static_cast<size_t>(length));
      } else if (errno == EAGAIN) {
        if (absl::Status status = Await(POLLOUT); !status.ok()) return status;
      } else if (errno != EINTR) {
        return Ended();
      }
    }
    return absl::OkStatus();
  }

  absl::Status Await(int16_t events) const {
    for (;;) {
      const absl::Duration left = std::max(deadline_ - absl::Now(), absl::ZeroDuration());
      constexpr int64_t kMost = 1'000'000;
      const int64_t millis = std::min(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1))), kMost);
      pollfd entry = {socket_, events, 0};
      const int ready = poll(&entry, 1, static_cast<int>(millis));
      if (ready > 0) return absl::OkStatus();
      if (ready == 0 && left == absl::ZeroDuration()) {
        return absl::DeadlineExceededError("the server does not answer in time");
      }
    }
  }

  const int socket_;
  const absl::Time deadline_;
  int64_t connection_window_ = kFirstWindow;
  int64_t stream_window_ = kFirstWindow;
  int64_t initial_window_ = kFirstWindow;
  std::string buffer_;  // read, and not taken
  std::string block_;   // of headers
  std::string data_;
  ResponseHeaders headers_;
  bool in_headers_ = false;
  bool ends_with_headers_ = false;
  bool ended_ = false;
};

}  // namespace

absl::StatusOr<std::string> UnaryCall(int socket, absl::string_view path, absl::string_view request,
                                      absl::Duration timeout) {
  Conversation conversation(socket, absl::Now() + timeout);
  const absl::Status asked = conversation.Ask(path, request, timeout);
  if (!asked.ok()) return asked;
  return conversation.Hear();
}

}  // namespace guise::server
