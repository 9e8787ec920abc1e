#include "tests/kinds/checks.h"

#include <errno.h>
#include <limits.h>

#include <algorithm>

namespace guise::kinds {
namespace {

using syscall::Access;
using syscall::Arg;
using syscall::ArgKind;
using syscall::Row;
using syscall::Trait;

bool IsLoose(const Recipe& recipe, size_t i) { return (recipe.loose >> i & 1) != 0; }

bool Writes(Access access) { return access == Access::Out || access == Access::InOut; }

// Kinds that the kernel writes in rare cases only, or that are used in place.
bool WritesRarely(ArgKind kind) {
  return kind == ArgKind::SizedIn || kind == ArgKind::FutexWord || kind == ArgKind::MMsgHdrIn;
}

bool Changed(const Memory& memory, size_t from, size_t to) {
  return !std::equal(memory.before.begin() + static_cast<long>(from), memory.before.begin() + static_cast<long>(to),
                     memory.after.begin() + static_cast<long>(from));
}

// Of bytes that were written, both runs have the same; others are as before.
bool SameWritten(const Memory& a, const Memory& b) {
  for (size_t i = 0; i < a.after.size(); ++i) {
    if (a.after[i] != b.after[i] && (a.after[i] != a.before[i] || b.after[i] != b.before[i])) return false;
  }
  return true;
}

// Whether it fails when all arguments have been read.
bool HasReadAll(const Recipe& recipe) {
  return recipe.must.kind == Must::Kind::Fail && (recipe.must.error == EAGAIN || recipe.must.error == ENOENT);
}

size_t ElementBytes(const Arg& arg) { return arg.kind == ArgKind::ArrayOut ? arg.bytes : 1; }

class Checker {
 public:
  Checker(const Recipe& recipe, const std::vector<Run>& runs) : recipe_(recipe), row_(recipe.row()), runs_(runs) {}

  std::vector<std::string> Check() {
    const Outcome& roomy = runs_[0].second;
    if (!Tells(recipe_, roomy)) return broken_;
    for (size_t i = 0; i < row_.Arity() && roomy.ok(); ++i) {
      if (roomy.memory[i].used && AccessOf(recipe_, i) != Access::Opaque) CheckRoomy(i, roomy.memory[i]);
    }
    CheckSame(runs_[1], "reads what it should only write");
    CheckSame(runs_[2], "wants more memory, or to write what it should only read");
    CheckSame(runs_[3], "looks at bits that are not of the argument, or at more arguments");
    for (const Run& run : runs_) CheckFault(run);
    return broken_;
  }

 private:
  bool contents_vary() const { return recipe_.varies != Varies::Nothing && recipe_.varies != Varies::Result; }

  void Say(size_t i, const std::string& what) { broken_.push_back("argument " + std::to_string(i) + ": " + what); }

  void CheckRoomy(size_t i, const Memory& memory) {
    const Arg& arg = row_.args[i];
    const Access access = AccessOf(recipe_, i);
    if (Changed(memory, 0, memory.at)) Say(i, "written before its begin");
    if (access == Access::In) {
      if (Changed(memory, memory.at, memory.after.size())) Say(i, "only read, says the table; written");
      return;
    }
    size_t limit = memory.extent;
    const auto result = static_cast<size_t>(runs_[0].second.result);
    const bool counted = arg.kind == ArgKind::BufOut || arg.kind == ArgKind::ArrayOut;
    const size_t prefix = arg.kind == ArgKind::BufOut ? arg.bytes : 0;
    if (arg.result_bounded && counted) limit = std::min(limit, prefix + result * ElementBytes(arg));
    if (Changed(memory, memory.at + limit, memory.after.size())) Say(i, "written beyond what the table says");
    if (IsLoose(recipe_, i) || IsLoose(recipe_, Unwritten(static_cast<int>(i))) || WritesRarely(arg.kind)) return;
    // Less, and the result would be another; but padding behind the last element may stay as it was.
    const size_t last = memory.at + limit;
    const size_t tail = last - std::min<size_t>(limit, 8);
    if (arg.result_bounded && counted && limit != 0 && !Changed(memory, tail, last) &&
        !Changed(runs_[1].second.memory[i], tail, last)) {
      Say(i, "less is written than result and table say");
    }
    if (!Changed(memory, memory.at, memory.at + limit) &&
        !Changed(runs_[1].second.memory[i], memory.at, memory.at + limit)) {
      Say(i, "written, says the table; not written");
    }
  }

  void CheckSame(const Run& run, const std::string& otherwise) {
    const Outcome& base = runs_[0].second;
    const Outcome& other = run.second;
    if (base.ok() != other.ok() || (!other.ok() && base.result != other.result)) {
      broken_.push_back(run.first.Text() + " gives " + std::to_string(other.result) + ": " + otherwise);
      return;
    }
    if (contents_vary()) return;
    for (size_t i = 0; i < row_.Arity(); ++i) {
      if (!base.memory[i].used || AccessOf(recipe_, i) == Access::Opaque) continue;
      const bool same = run.first.how == How::Poison
                            ? SameWritten(base.memory[i], other.memory[i])
                            : base.memory[i].after.substr(base.memory[i].at, base.memory[i].extent) ==
                                  other.memory[i].after.substr(other.memory[i].at, other.memory[i].extent);
      if (!same) Say(i, run.first.Text() + " leaves other bytes: " + otherwise);
    }
  }

  void CheckFault(const Run& run) {
    const size_t i = run.first.position;
    const long result = run.second.result;
    const Arg& arg = row_.args[i];
    if (run.first.how < How::Null || run.first.how >= How::Number || AccessOf(recipe_, i) == Access::Opaque) return;
    const std::string text = run.first.Text() + " gives " + std::to_string(result);
    const bool loose = IsLoose(recipe_, i);
    switch (run.first.how) {
      case How::Null:
        if (IsLoose(recipe_, NoNull(static_cast<int>(i)))) {
          if (result != -EFAULT) broken_.push_back(text + " instead of EFAULT");
        } else if (arg.nullable ? result == -EFAULT && !loose : run.second.ok() && !loose) {
          broken_.push_back(text);
        }
        return;
      case How::Garbage:
        return;
      case How::Short:
        if ((arg.result_bounded && AccessOf(recipe_, i) == Access::Out) || arg.kind == ArgKind::FutexWord) return;
        // As much as could be read was used.
        if (row_.result == syscall::Result::Bytes && run.second.ok() && result < runs_[0].second.result) return;
        [[fallthrough]];
      case How::Fixed:
        if ((WritesRarely(arg.kind) || IsLoose(recipe_, Unwritten(static_cast<int>(i)))) && run.first.how == How::Fixed)
          return;
        [[fallthrough]];
      default:
        if (result != -EFAULT && !loose) broken_.push_back(text + " instead of EFAULT");
    }
  }

  const Recipe& recipe_;
  const Row& row_;
  const std::vector<Run>& runs_;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<Scenario> ScenariosOf(const Recipe& recipe) {
  const Row& row = recipe.row();
  std::vector<Scenario> scenarios = {{How::Roomy}, {How::Poison}, {How::Exact}, {How::Dirty}, {How::Across}};
  for (size_t i = 0; i < row.Arity(); ++i) {
    const Access access = AccessOf(recipe, i);
    if (access != Access::Value) {
      for (const How how : {How::Null, How::Hole, How::None, How::Kernel}) scenarios.push_back({how, i});
      if (Writes(access)) scenarios.push_back({How::Fixed, i});
      // Of other bytes some calls leave what is not the same twice.
      const bool steady = !IsLoose(recipe, Unwritten(static_cast<int>(i)));
      if (access == Access::InOut && steady) scenarios.push_back({How::Garbage, i});
      if (access != Access::Opaque) scenarios.push_back({How::Short, i});
    }
    for (const size_t offset : InnerPointers(recipe, i)) {
      scenarios.push_back({How::Inner, i, offset});
      scenarios.push_back({How::Edge, i, offset});
    }
    if (!syscall::IsSize(row.args[i].kind) || row.Has(Trait::ChangesMemoryMap)) continue;
    scenarios.push_back({How::Large, i, 8192});
    for (const int64_t number : {int64_t{0}, int64_t{1}, int64_t{1025}, int64_t{65537}, int64_t{INT_MAX},
                                 int64_t{INT_MIN}, int64_t{-1}, INT64_MAX}) {
      scenarios.push_back({How::Number, i, static_cast<uint64_t>(number)});
    }
  }
  return scenarios;
}

bool Tells(const Recipe& recipe, const Outcome& roomy) { return roomy.ok() || HasReadAll(recipe); }

std::vector<std::string> Broken(const Recipe& recipe, const std::vector<Run>& runs) {
  return Checker(recipe, runs).Check();
}

}  // namespace guise::kinds
