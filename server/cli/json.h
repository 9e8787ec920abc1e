// JSON as the commands' --json prints it.
#ifndef GUISE_SERVER_CLI_JSON_H_
#define GUISE_SERVER_CLI_JSON_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace guise::server {

// Writes one value, indented by two. Keys inside objects, values inside arrays; the caller keeps them apart. Numbers
// are numbers, also those above 2^53.
class JsonWriter {
 public:
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(absl::string_view key);
  JsonWriter& String(absl::string_view value);
  JsonWriter& Bool(bool value) { return Raw(value ? "true" : "false"); }
  template <typename T>
  JsonWriter& Number(T value) {
    return Raw(absl::StrCat(value));
  }

  // REQUIRES: everything begun has been ended. Ends with a newline.
  std::string Take();

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  JsonWriter& Raw(absl::string_view text);
  void Separate();

  std::string text_;
  std::vector<bool> filled_;  // of each open object or array: whether it has a member
  bool after_key_ = false;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_JSON_H_
