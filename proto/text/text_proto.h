// Messages that people write as protobuf text.
#ifndef GUISE_PROTO_TEXT_TEXT_PROTO_H_
#define GUISE_PROTO_TEXT_TEXT_PROTO_H_

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "proto/text/field_lines.h"

namespace guise {

// Reads `text` into *message. `source` names the text in errors: INVALID_ARGUMENT, with line and column of the first
// thing that is wrong. `lines`: where the fields are; null: nobody asks.
absl::Status ParseTextProto(std::string_view text, const std::string& source, google::protobuf::Message* message,
                            FieldLines* lines = nullptr);

}  // namespace guise

#endif  // GUISE_PROTO_TEXT_TEXT_PROTO_H_
