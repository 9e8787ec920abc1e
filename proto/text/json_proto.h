// Messages that people write as JSON.
#ifndef GUISE_PROTO_TEXT_JSON_PROTO_H_
#define GUISE_PROTO_TEXT_JSON_PROTO_H_

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "proto/text/field_lines.h"

namespace guise {

// As ParseTextProto. Fields have their own names, or those of protobuf's JSON.
absl::Status ParseJsonProto(std::string_view text, const std::string& source, google::protobuf::Message* message,
                            FieldLines* lines = nullptr);

}  // namespace guise

#endif  // GUISE_PROTO_TEXT_JSON_PROTO_H_
