#include "proto/syscall/names.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace guise::syscall {
namespace {

// One word of kinds.h.
template <typename Enum>
struct Word {
  Enum value;
  std::string_view name;
  std::string_view meaning;
};

constexpr Word<Result> kResults[] = {
#define X(name, doc) {Result::name, #name, doc},
    GUISE_SYSCALL_RESULTS(X)
#undef X
};
constexpr Word<Trait> kTraits[] = {
#define X(name, doc) {Trait::name, #name, doc},
    GUISE_SYSCALL_TRAITS(X)
#undef X
};
constexpr Word<ArgKind> kArgKinds[] = {
#define X(name, what, doc) {ArgKind::name, #name, doc},
    GUISE_SYSCALL_VALUE_KINDS(X) GUISE_SYSCALL_POINTER_KINDS(X)
#undef X
};

template <typename Enum, size_t kSize>
constexpr std::array<Enum, kSize> Values(const Word<Enum> (&words)[kSize]) {
  std::array<Enum, kSize> values{};
  for (size_t i = 0; i < kSize; ++i) values[i] = words[i].value;
  return values;
}
constexpr auto kAllResults = Values(kResults);
constexpr auto kAllTraits = Values(kTraits);
constexpr auto kAllArgKinds = Values(kArgKinds);

template <typename Enum>
Word<Enum> WordOf(std::span<const Word<Enum>> words, Enum value) {
  for (const Word<Enum>& word : words) {
    if (word.value == value) return word;
  }
  return {};
}

template <typename Enum>
std::optional<Enum> Named(std::span<const Word<Enum>> words, std::string_view name) {
  for (const Word<Enum>& word : words) {
    if (word.name == name) return word.value;
  }
  return std::nullopt;
}

// Names in the order of the rows.
constexpr std::string_view kNames[] = {
#define GUISE_SYSCALL(nr, name, result, kernels, next, traits, ...) #name,
#include "proto/syscall/x86_64.def"
};
static_assert(std::size(kNames) == kRowCount);

struct NamedNumber {
  std::string_view name;
  uint32_t nr;
};

constexpr auto kByName = [] {
  std::array<NamedNumber, kRowCount> numbers{};
  for (size_t i = 0; i < kRowCount; ++i) numbers[i] = {kNames[i], static_cast<uint32_t>(kTable.rows[i].nr)};
  std::ranges::sort(numbers, {}, &NamedNumber::name);
  return numbers;
}();
static_assert(std::ranges::adjacent_find(kByName, {}, &NamedNumber::name) == kByName.end(), "a name twice");

std::string Wrapped(std::string_view outer, std::string inner) {
  return std::string(outer).append("(").append(inner).append(")");
}

std::string ReleaseText(uint16_t release) {
  return std::to_string(release >> 8) + ", " + std::to_string(release & 0xff);
}

}  // namespace

std::string_view Name(uint32_t nr) {
  const Row* row = Find(nr);
  return row == nullptr ? std::string_view() : kNames[row - kTable.begin()];
}
std::string_view Name(Nr nr) { return Name(static_cast<uint32_t>(nr)); }

std::optional<uint32_t> Number(std::string_view name) {
  const auto found = std::ranges::lower_bound(kByName, name, {}, &NamedNumber::name);
  if (found == kByName.end() || found->name != name) return std::nullopt;
  return found->nr;
}

std::string_view Name(Result result) { return WordOf<Result>(kResults, result).name; }
std::string_view Name(Trait trait) { return WordOf<Trait>(kTraits, trait).name; }
std::string_view Name(ArgKind kind) { return WordOf<ArgKind>(kArgKinds, kind).name; }

std::string_view Meaning(Result result) { return WordOf<Result>(kResults, result).meaning; }
std::string_view Meaning(Trait trait) { return WordOf<Trait>(kTraits, trait).meaning; }
std::string_view Meaning(ArgKind kind) { return WordOf<ArgKind>(kArgKinds, kind).meaning; }

std::span<const Result> AllResults() { return kAllResults; }
std::span<const Trait> AllTraits() { return kAllTraits; }
std::span<const ArgKind> AllArgKinds() { return kAllArgKinds; }

std::optional<Trait> TraitNamed(std::string_view name) { return Named<Trait>(kTraits, name); }
std::optional<ArgKind> ArgKindNamed(std::string_view name) { return Named<ArgKind>(kArgKinds, name); }

std::string Describe(Traits traits) {
  std::string text;
  for (const Word<Trait>& word : kTraits) {
    if (!traits.Has(word.value)) continue;
    if (!text.empty()) text += " | ";
    text += word.name;
  }
  return text.empty() ? "Plain" : text;
}

std::string Describe(const Arg& arg) {
  if (!arg.exists()) return "";
  std::string text(Name(arg.kind));
  const bool is_array =
      arg.kind == ArgKind::ArrayIn || arg.kind == ArgKind::ArrayOut || arg.kind == ArgKind::ArrayInOut;
  const bool has_bytes = arg.kind == ArgKind::Str || arg.kind == ArgKind::StructIn || arg.kind == ArgKind::StructOut ||
                         arg.kind == ArgKind::StructInOut || arg.kind == ArgKind::SizedIn;
  if (is_array) {
    text = Wrapped(text, std::to_string(arg.bytes) + ", " + std::to_string(arg.link));
  } else if (has_bytes) {
    text = Wrapped(text, std::to_string(arg.bytes));
  } else if (arg.has_link()) {
    text = Wrapped(text, std::to_string(arg.link));
    if (arg.bytes != 0) text = Wrapped("Prefix", std::to_string(arg.bytes) + ", " + text);
  }
  if (arg.result_bounded) text = Wrapped("Upto", text);
  if (arg.nullable) text = Wrapped("Opt", text);
  return text;
}

std::string Describe(Kernels kernels) {
  if (kernels.since == Kernels::kNever) return "Never";
  if (kernels.until != 0) return Wrapped("Until", ReleaseText(kernels.until));
  return kernels.since == 0 ? "Always" : Wrapped("Since", ReleaseText(kernels.since));
}

}  // namespace guise::syscall
