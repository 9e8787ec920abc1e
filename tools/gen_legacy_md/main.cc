// Writes docs/LEGACY.md, what becomes of old calls under the personality `legacy`, to standard output:
//   bazel run //tools/gen_legacy_md > docs/LEGACY.md
// Fails when a call that newer architectures lack, or that kernels have removed, has neither an answer nor a reason.
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string>

#include "personalities/api/claims.h"
#include "personalities/legacy/legacy.h"
#include "personalities/legacy/profile.h"
#include "proto/syscall/names.h"
#include "proto/syscall/table.h"

namespace guise::personalities {
namespace {

using syscall::Nr;
using syscall::Row;
using syscall::Trait;

std::string NameOf(uint32_t nr) { return std::string(syscall::Name(nr)); }

// Calls that are not the personality's to answer.
const char* Reason(Nr nr) {
  switch (nr) {
    case Nr::fork:
    case Nr::vfork:
      return "the shim, under every personality: `clone`";
    case Nr::arch_prctl:
      return "the kernel; where it refuses (`--kernel generic`), the shim, by the instructions of FSGSBASE. On a CPU "
             "without them the call is excepted from what a generic kernel refuses";
    case Nr::modify_ldt:
    case Nr::iopl:
    case Nr::ioperm:
      return "the kernel: nothing else does it; a generic kernel refuses it";
    case Nr::uretprobe:
    case Nr::uprobe:
      return "the kernel, whose own code makes it; excepted from what a generic kernel refuses";
    default:
      return nullptr;
  }
}

std::string Argument(const api::Folding& folding, size_t i) {
  const uint8_t from = folding.from[i];
  if (from >= api::Folding::kFirstConstant) {
    return std::to_string(folding.constants[from - api::Folding::kFirstConstant]);
  }
  return std::string("a") + std::to_string(from);
}

std::string Folded(const api::Claim& claim) {
  std::string text = "the shim: `" + NameOf(claim.folding.nr) + "(";
  for (size_t i = 0; i < claim.folding.count; ++i) text += (i == 0 ? "" : ", ") + Argument(claim.folding, i);
  text += ")`";
  if (claim.handler != nullptr) {
    text += "; the server when a" + std::to_string(claim.folding.differ[0]) + " is a" +
            std::to_string(claim.folding.differ[1]);
  }
  return text;
}

std::string HowOf(const api::Claim& claim, const Row& row) {
  switch (claim.verb) {
    case api::ClaimVerb::kFold:
      return Folded(claim);
    case api::ClaimVerb::kDeny:
      return std::string("the shim: `") + strerrorname_np(static_cast<int>(claim.value)) + "`";
    default:
      return row.next == syscall::kNoNr ? "the server"
                                        : "the server, by `" + NameOf(static_cast<uint32_t>(row.next)) + "`";
  }
}

const api::Claim* Find(const api::Claims& claims, Nr nr) {
  for (const api::Claim& claim : claims.all()) {
    if (claim.nr == static_cast<uint32_t>(nr)) return &claim;
  }
  return nullptr;
}

// False: a row without a word.
bool PrintRows(const api::Claims& claims, bool (*wanted)(const Row&)) {
  std::cout << "| nr | call | answered by |\n|---|---|---|\n";
  bool complete = true;
  for (const Row& row : syscall::kTable) {
    if (!wanted(row)) continue;
    const api::Claim* const claim = Find(claims, row.nr);
    const char* const reason = Reason(row.nr);
    if (claim == nullptr && reason == nullptr) {
      std::cerr << NameOf(static_cast<uint32_t>(row.nr)) << ": neither an answer nor a reason\n";
      complete = false;
      continue;
    }
    std::cout << "| " << static_cast<uint32_t>(row.nr) << " | `" << NameOf(static_cast<uint32_t>(row.nr)) << "` | "
              << (claim != nullptr ? HowOf(*claim, row) : reason) << " |\n";
  }
  return complete;
}

void PrintProfiles() {
  std::cout << "| profile | what it is | release | vsyscall page | removed calls |\n|---|---|---|---|---|\n";
  for (const NamedProfile& named : BuiltInProfiles()) {
    const v1::LegacyProfile profile = FindProfile(named.name).value();
    std::cout << "| `" << named.name << "` | " << profile.description() << " | "
              << (profile.release().empty() ? "the host's" : "`" + profile.release() + "`") << " | "
              << (profile.vsyscall_page() != 0 ? "answered" : "the kernel's") << " | "
              << (profile.removed_calls() ? "answered" : "the kernel's `ENOSYS`") << " |\n";
  }
}

bool Print() {
  std::cout
      << "# Old calls under `legacy`\n\n"
         "Written by `bazel run //tools/gen_legacy_md`; not edited by hand. What the personality is and how to use "
         "it is in [its README](../personalities/legacy/README.md).\n\n"
         "## Profiles\n\n";
  PrintProfiles();
  api::Claims claims;
  Legacy(FindProfile("el6").value()).Claim(claims);
  std::cout
      << "\n## Calls that newer architectures lack\n\n"
         "x86_64 has them, the asm-generic table has not; a generic kernel refuses them. a0 is the first argument "
         "of the old call.\n\n";
  const bool old = PrintRows(claims, [](const Row& row) { return row.Has(Trait::NotInGeneric) && !IsGone(row); });
  std::cout << "\n## Calls that kernels have removed, or never had\n\n"
               "Under profiles that answer removed calls. Those that Linux reserved a number for and never had are "
               "`ENOSYS` under all.\n\n";
  return PrintRows(claims, [](const Row& row) { return IsGone(row); }) && old;
}

}  // namespace
}  // namespace guise::personalities

int main() { return guise::personalities::Print() ? 0 : 1; }
