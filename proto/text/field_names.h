// What a person who writes a message can write in it.
#ifndef GUISE_PROTO_TEXT_FIELD_NAMES_H_
#define GUISE_PROTO_TEXT_FIELD_NAMES_H_

#include <google/protobuf/descriptor.h>

#include <string>

namespace guise {

// "ACCESS_READ_ONLY, ACCESS_READ_WRITE": all but the one that says nothing.
std::string ValuesOf(const google::protobuf::EnumDescriptor& type);

// "path, access (ACCESS_READ_ONLY, ...)": the type's fields, with their own in braces and their values in parentheses.
// REQUIRES: no message of the type is within one of the type.
std::string FieldsOf(const google::protobuf::Descriptor& type);

}  // namespace guise

#endif  // GUISE_PROTO_TEXT_FIELD_NAMES_H_
