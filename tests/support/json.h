// A small reader for what `guise ... --json` prints.
#ifndef GUISE_TESTS_SUPPORT_JSON_H_
#define GUISE_TESTS_SUPPORT_JSON_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace guise::tests {

struct Json {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  std::string text;  // of a string, number or bool
  std::vector<Json> items;
  std::map<std::string, Json> members;

  // A member; a null value where there is none.
  const Json& operator[](const std::string& name) const;
  // A number, also one written as a string (64-bit numbers in protobuf's JSON are); 0 where there is none.
  int64_t Number() const;
  bool Has(const std::string& name) const { return members.count(name) != 0; }
};

// The whole text as one value; nothing for anything else.
std::optional<Json> ParseJson(std::string_view text);

}  // namespace guise::tests

#endif  // GUISE_TESTS_SUPPORT_JSON_H_
