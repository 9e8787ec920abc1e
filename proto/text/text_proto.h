// Messages that people write as protobuf text.
#ifndef GUISE_PROTO_TEXT_TEXT_PROTO_H_
#define GUISE_PROTO_TEXT_TEXT_PROTO_H_

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace guise {

// Reads `text` into *message. `source` names the text in errors: INVALID_ARGUMENT, with line and column of the first
// thing that is wrong.
absl::Status ParseTextProto(std::string_view text, const std::string& source, google::protobuf::Message* message);

}  // namespace guise

#endif  // GUISE_PROTO_TEXT_TEXT_PROTO_H_
