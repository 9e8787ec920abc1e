#include "proto/text/json_proto.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <cctype>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/text/field_names.h"

// protobuf's reader says what is wrong, but not where. So the text is read here a second time: for the lines of its
// fields, and, where protobuf refuses it, for the first thing that is wrong. What protobuf lets pass and people do not
// mean is refused here: a comma with nothing behind it, and a field that is given twice, of which the last would count.

namespace guise {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kDeepest = 100;  // as protobuf's

struct Place {
  int line = 1;
  int column = 1;
};

struct Value {
  enum class Kind { kObject, kArray, kString, kWord };
  Kind kind = Kind::kWord;
  Place place;
  std::string text;  // of a string or word
  // Of an object or array; names of array elements are empty.
  std::vector<std::pair<std::string, Value>> members = {};
};

struct Wrong {
  Place place;
  std::string what;
};

// What protobuf takes: names may have single quotes, or none.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // nullopt: wrong() says what.
  std::optional<Value> Read() {
    std::optional<Value> value = ReadValue(0);
    if (!value.has_value()) return value;
    SkipSpace();
    if (at_ == text_.size()) return value;
    return Refuse("nothing follows the end of the object");
  }
  const Wrong& wrong() const { return wrong_; }

 private:
  std::nullopt_t Refuse(std::string what) {
    wrong_ = {place_, std::move(what)};
    return std::nullopt;
  }

  char Next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void Step() {
    if (text_[at_] == '\n') {
      ++place_.line;
      place_.column = 0;
    }
    ++place_.column;
    ++at_;
  }
  void SkipSpace() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) Step();
  }
  bool Take(char c) {
    SkipSpace();
    if (at_ == text_.size() || Next() != c) return false;
    Step();
    return true;
  }
  static bool IsOfWord(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '-' || c == '+' || c == '.';
  }

  std::optional<std::string> ReadString() {
    const Place start = place_;
    const char quote = Next();
    std::string text;
    for (Step(); at_ < text_.size() && Next() != quote; Step()) {
      if (Next() == '\n') break;
      if (Next() == '\\' && at_ + 1 < text_.size()) Step();
      text += Next();
    }
    if (Next() != quote) {
      place_ = start;
      return Refuse("the string has no end");
    }
    Step();
    return text;
  }

  std::string ReadWord() {
    std::string text;
    for (; at_ < text_.size() && IsOfWord(Next()); Step()) text += Next();
    return text;
  }

  std::optional<Value> ReadValue(int depth) {
    SkipSpace();
    Value value;
    value.place = place_;
    const char first = Next();
    if (depth > kDeepest) return Refuse("too deep");
    if (first == '{' || first == '[') {
      value.kind = first == '{' ? Value::Kind::kObject : Value::Kind::kArray;
      if (!ReadMembers(&value, depth)) return std::nullopt;
    } else if (first == '"' || first == '\'') {
      value.kind = Value::Kind::kString;
      std::optional<std::string> text = ReadString();
      if (!text.has_value()) return std::nullopt;
      value.text = *std::move(text);
    } else {
      value.text = ReadWord();
      if (value.text.empty()) return Refuse("a value is expected");
    }
    return value;
  }

  bool ReadMembers(Value* value, int depth) {
    const bool is_object = value->kind == Value::Kind::kObject;
    const char end = is_object ? '}' : ']';
    Step();
    if (Take(end)) return true;
    for (;;) {
      std::string name;
      SkipSpace();
      const Place start = place_;
      if (is_object && !ReadName(&name)) return false;
      std::optional<Value> member = ReadValue(depth + 1);
      if (!member.has_value()) return false;
      // A field is where its name is.
      if (is_object) member->place = start;
      value->members.emplace_back(std::move(name), *std::move(member));
      if (Take(end)) return true;
      if (Take(',')) continue;
      Refuse(is_object ? "a comma or } is expected" : "a comma or ] is expected");
      return false;
    }
  }

  bool ReadName(std::string* name) {
    if (Next() == '"' || Next() == '\'') {
      std::optional<std::string> text = ReadString();
      if (!text.has_value()) return false;
      *name = *std::move(text);
    } else {
      *name = ReadWord();
    }
    if (name->empty()) {
      Refuse("the name of a field is expected");
      return false;
    }
    if (Take(':')) return true;
    Refuse(absl::StrCat("a colon is expected behind \"", *name, "\""));
    return false;
  }

  std::string_view text_;
  size_t at_ = 0;
  Place place_;
  Wrong wrong_;
};

const FieldDescriptor* FieldOf(const Descriptor& type, const std::string& name) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->name() == name || type.field(i)->json_name() == name) return type.field(i);
  }
  return nullptr;
}

bool IsNull(const Value& value) { return value.kind == Value::Kind::kWord && value.text == "null"; }

std::optional<Wrong> WrongIn(const Value& value, const Descriptor& type);

std::optional<Wrong> WrongIn(const Value& value, const FieldDescriptor& field) {
  if (IsNull(value)) return std::nullopt;
  const bool is_word = value.kind == Value::Kind::kWord || value.kind == Value::Kind::kString;
  const auto wants = [&](const std::string& what) {
    return Wrong{value.place, absl::StrCat("the value of \"", field.name(), "\" is to be ", what)};
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (value.kind != Value::Kind::kObject) return wants("an object, {...}");
      return WrongIn(value, *field.message_type());
    case FieldDescriptor::CPPTYPE_ENUM: {
      int number = 0;
      if (is_word &&
          (field.enum_type()->FindValueByName(value.text) != nullptr || absl::SimpleAtoi(value.text, &number))) {
        return std::nullopt;
      }
      return wants(absl::StrCat("one of ", ValuesOf(*field.enum_type())));
    }
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64: {
      double number = 0;
      const bool is_number = is_word && absl::SimpleAtod(value.text, &number) && number >= 0 && number < 4294967296.0;
      if (!is_number && field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) return wants("a number from 0 to 2^32-1");
      return std::nullopt;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      if (value.kind != Value::Kind::kString) return wants("a string, in quotes");
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// The first thing that is no value of the type.
std::optional<Wrong> WrongIn(const Value& value, const Descriptor& type) {
  std::set<const FieldDescriptor*> given;
  for (const auto& [name, member] : value.members) {
    const FieldDescriptor* const field = FieldOf(type, name);
    if (field == nullptr) {
      return Wrong{member.place,
                   absl::StrCat("message type \"", type.full_name(), "\" has no field named \"", name, "\"")};
    }
    if (!given.insert(field).second) {
      return Wrong{member.place, absl::StrCat("\"", field->name(), "\" is given a second time")};
    }
    std::optional<Wrong> wrong;
    if (!field->is_repeated() || IsNull(member)) {
      wrong = WrongIn(member, *field);
    } else if (member.kind != Value::Kind::kArray) {
      wrong = Wrong{member.place, absl::StrCat("the value of \"", name, "\" is to be a list, [...]")};
    } else {
      for (size_t i = 0; i < member.members.size() && !wrong.has_value(); ++i) {
        wrong = WrongIn(member.members[i].second, *field);
      }
    }
    if (wrong.has_value()) return wrong;
  }
  return std::nullopt;
}

void Note(const Value& value, const Descriptor& type, const std::string& prefix, FieldLines* lines) {
  for (const auto& [name, member] : value.members) {
    const FieldDescriptor* const field = FieldOf(type, name);
    if (field == nullptr) continue;
    const std::string full = absl::StrCat(prefix, field->name());
    if (!field->is_repeated()) {
      lines->Set(full, member.place.line);
      if (field->message_type() != nullptr) Note(member, *field->message_type(), full + ".", lines);
      continue;
    }
    for (size_t i = 0; i < member.members.size(); ++i) {
      const Value& element = member.members[i].second;
      const std::string one = absl::StrCat(full, "[", i, "]");
      lines->Set(one, element.place.line);
      if (field->message_type() != nullptr) Note(element, *field->message_type(), one + ".", lines);
    }
  }
}

}  // namespace

absl::Status ParseJsonProto(std::string_view text, const std::string& source, Message* message, FieldLines* lines) {
  const Descriptor& type = *message->GetDescriptor();
  Reader reader(text);
  const std::optional<Value> value = reader.Read();
  const auto status = google::protobuf::util::JsonStringToMessage(std::string(text), message);
  std::optional<Wrong> wrong = value.has_value() ? WrongIn(*value, type) : reader.wrong();
  if (status.ok() && !wrong.has_value()) {
    if (lines != nullptr) Note(*value, type, "", lines);
    return absl::OkStatus();
  }
  // What only protobuf finds is somewhere in it.
  if (!wrong.has_value()) wrong = Wrong{value->place, std::string(status.message())};
  return absl::InvalidArgumentError(absl::StrCat(source, ", line ", wrong->place.line, ", column ", wrong->place.column,
                                                 ": ", wrong->what, "; its fields are ", FieldsOf(type)));
}

}  // namespace guise
