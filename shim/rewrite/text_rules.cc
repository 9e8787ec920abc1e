#include "shim/rewrite/text_rules.h"

#include "proto/wire/published.h"
#include "shim/memory.h"

namespace guise::shim {
namespace {

using wire::TextRule;

// Of a directory all that is below it, of a program that alone.
bool Matches(const char* pattern, const char* path) {
  const size_t length = Length(pattern);
  const bool is_directory = length != 0 && pattern[length - 1] == '/';
  return is_directory ? StartsWith(path, pattern) : Equal(path, pattern);
}

}  // namespace

bool KeepsText(const char* rules, uint64_t size, const char* path) {
  bool keeps = false;
  const char* const end = rules + size;
  while (rules < end && *rules != 0) {
    const auto kind = static_cast<TextRule>(*rules);
    if (Matches(rules + 1, path)) keeps = kind == TextRule::kKeep;
    rules += Length(rules) + 1;
  }
  return keeps;
}

}  // namespace guise::shim
