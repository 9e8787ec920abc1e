#include <stdint.h>
#include <stdio.h>

#include "tests/kinds/checks.h"

namespace guise::kinds {
namespace {

using syscall::Result;

struct Bytes {
  size_t from, to;
};
// device and inode; times
constexpr Bytes kStat[] = {{0, 16}, {72, 120}};
// inode; times; device and mount
constexpr Bytes kStatx[] = {{32, 40}, {64, 128}, {136, 152}};

template <size_t n>
void Blank(std::string* text, const Bytes (&parts)[n]) {
  for (const Bytes& part : parts) {
    for (size_t i = part.from; i < part.to && i < text->size(); ++i) (*text)[i] = 0;
  }
}

std::string Hex(const std::string& bytes) {
  std::string text;
  char two[3];
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    hash = (hash ^ byte) * 0x100000001b3;
    if (i >= 64) continue;
    snprintf(two, sizeof(two), "%02x", byte);
    text += two;
  }
  return bytes.size() <= 64 ? text : text + "..." + std::to_string(hash);
}

bool VariesByNature(const Recipe& recipe) {
  if (recipe.varies == Varies::Result || recipe.varies == Varies::Both) return true;
  switch (recipe.row().result) {
    case Result::Pid:
    case Result::Addr:
    case Result::Time:
    case Result::Id:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string Describe(const Recipe& recipe, const Outcome& outcome) {
  if (outcome.result == kBlocked) return "blocked";
  if (outcome.result == kKilled) return "killed";
  std::string text = outcome.ok() && VariesByNature(recipe) ? "some" : std::to_string(outcome.result);
  if (recipe.varies == Varies::Contents || recipe.varies == Varies::Both) return text;
  for (size_t i = 0; i < syscall::kMaxArgs; ++i) {
    const Memory& memory = outcome.memory[i];
    if (!memory.used || memory.before == memory.after) continue;
    // Everything from the pointer to the last byte that changed; the fill shows holes.
    size_t last = memory.after.size();
    while (last > memory.at && memory.after[last - 1] == memory.before[last - 1]) --last;
    std::string bytes = memory.after.substr(memory.at, last - memory.at);
    if (recipe.varies == Varies::Stat) Blank(&bytes, kStat);
    if (recipe.varies == Varies::Statx) Blank(&bytes, kStatx);
    text += " [" + std::to_string(i) + "]=" + Hex(bytes);
  }
  return text + " inner=" + Hex(outcome.inner).substr(129);
}

}  // namespace guise::kinds
