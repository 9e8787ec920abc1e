#include "proto/text/field_names.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace guise {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

std::string ValuesOf(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) names.push_back(type.value(i)->name());
  }
  return absl::StrJoin(names, ", ");
}

std::string FieldsOf(const Descriptor& type) {
  std::vector<std::string> fields;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* const field = type.field(i);
    if (field->message_type() != nullptr) {
      fields.push_back(absl::StrCat(field->name(), " {", FieldsOf(*field->message_type()), "}"));
    } else if (field->enum_type() != nullptr) {
      fields.push_back(absl::StrCat(field->name(), " (", ValuesOf(*field->enum_type()), ")"));
    } else {
      fields.push_back(field->name());
    }
  }
  return absl::StrJoin(fields, ", ");
}

}  // namespace guise
