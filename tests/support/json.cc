#include "tests/support/json.h"

#include <cctype>
#include <cstdlib>

namespace guise::tests {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool Value(Json& value) {
    Blank();
    if (at_ == text_.size() || ++depth_ > 64) return false;
    const bool read = ValueByFirst(text_[at_], value);
    --depth_;
    return read;
  }

  bool AtEnd() {
    Blank();
    return at_ == text_.size();
  }

 private:
  bool ValueByFirst(char first, Json& value) {
    switch (first) {
      case '{':
        value.kind = Json::Kind::kObject;
        return Members(value);
      case '[':
        value.kind = Json::Kind::kArray;
        return Items(value);
      case '"':
        value.kind = Json::Kind::kString;
        return String(value.text);
      default:
        return Word(value);
    }
  }

  bool Members(Json& value) {
    ++at_;
    if (Take('}')) return true;
    do {
      std::string name;
      Blank();
      if (!String(name) || !Take(':') || !Value(value.members[name])) return false;
    } while (Take(','));
    return Take('}');
  }

  bool Items(Json& value) {
    ++at_;
    if (Take(']')) return true;
    do {
      if (!Value(value.items.emplace_back())) return false;
    } while (Take(','));
    return Take(']');
  }

  bool String(std::string& text) {
    if (at_ == text_.size() || text_[at_] != '"') return false;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c != '\\') {
        text += c;
        continue;
      }
      if (++at_ == text_.size()) return false;
      if (text_[at_] == 'u') {
        if (at_ + 4 >= text_.size()) return false;
        text += static_cast<char>(std::strtol(std::string(text_.substr(at_ + 1, 4)).c_str(), nullptr, 16));
        at_ += 4;
      } else {
        text += Unescape(text_[at_]);
      }
    }
    return false;
  }

  static char Unescape(char c) {
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      default:
        return c;
    }
  }

  bool Word(Json& value) {
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '-' ||
                                  text_[at_] == '+' || text_[at_] == '.')) {
      value.text += text_[at_++];
    }
    if (value.text == "true" || value.text == "false") {
      value.kind = Json::Kind::kBool;
    } else if (value.text == "null") {
      value.kind = Json::Kind::kNull;
    } else {
      value.kind = Json::Kind::kNumber;
      return !value.text.empty() &&
             (std::isdigit(static_cast<unsigned char>(value.text[0])) != 0 || value.text[0] == '-');
    }
    return true;
  }

  void Blank() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  bool Take(char c) {
    Blank();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

const Json& Json::operator[](const std::string& name) const {
  static const Json none;
  const auto it = members.find(name);
  return it == members.end() ? none : it->second;
}

int64_t Json::Number() const { return std::strtoll(text.c_str(), nullptr, 10); }

std::optional<Json> ParseJson(std::string_view text) {
  Reader reader(text);
  Json value;
  if (!reader.Value(value) || !reader.AtEnd()) return std::nullopt;
  return value;
}

}  // namespace guise::tests
