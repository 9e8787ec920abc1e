#include "proto/text/text_proto.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/text/field_names.h"

namespace guise {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

// The first complaint.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void Note(const TextFormat::ParseInfoTree& tree, const Descriptor& type, const std::string& prefix, FieldLines* lines) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* const field = type.field(i);
    // One that is not repeated has the index -1.
    for (int index = field->is_repeated() ? 0 : -1;; ++index) {
      const TextFormat::ParseLocation place = tree.GetLocation(field, index);
      if (place.line < 0) break;
      const std::string name =
          absl::StrCat(prefix, field->name(), index < 0 ? std::string() : absl::StrCat("[", index, "]"));
      lines->Set(name, place.line + 1);
      const TextFormat::ParseInfoTree* const below =
          field->message_type() == nullptr ? nullptr : tree.GetTreeForNested(field, index);
      if (below != nullptr) Note(*below, *field->message_type(), name + ".", lines);
      if (index < 0) break;
    }
  }
}

}  // namespace

absl::Status ParseTextProto(std::string_view text, const std::string& source, Message* message, FieldLines* lines) {
  FirstError error;
  TextFormat::Parser parser;
  TextFormat::ParseInfoTree tree;
  parser.RecordErrorsTo(&error);
  if (lines != nullptr) parser.WriteLocationsTo(&tree);
  if (parser.ParseFromString(std::string(text), message)) {
    if (lines != nullptr) Note(tree, *message->GetDescriptor(), "", lines);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(source, ", ", absl::StripSuffix(error.text(), "."),
                                                 "; its fields are ", FieldsOf(*message->GetDescriptor())));
}

}  // namespace guise
