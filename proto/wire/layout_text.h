// The wire's layout as text: what layout.txt holds.
#ifndef GUISE_PROTO_WIRE_LAYOUT_TEXT_H_
#define GUISE_PROTO_WIRE_LAYOUT_TEXT_H_

#include <string>

#include "proto/wire/layout_constants.h"
#include "proto/wire/layout_fields.h"

namespace guise::wire {

inline std::string LayoutText() {
  std::string text;
  for (const LayoutStruct& type : kLayoutStructs) {
    text += std::string("struct ") + type.name + " size " + std::to_string(type.size) + " align " +
            std::to_string(type.align) + "\n";
    for (const LayoutField& field : kLayoutFields) {
      if (std::string(field.of) != type.name) continue;
      text += "  " + std::to_string(field.offset) + " " + std::to_string(field.size) + " " + field.name + "\n";
    }
  }
  for (const LayoutConstant& constant : kLayoutConstants) {
    text += std::string("constant ") + constant.name + " " + std::to_string(constant.value) + "\n";
  }
  return text;
}

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_LAYOUT_TEXT_H_
