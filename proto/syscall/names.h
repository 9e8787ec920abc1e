// The table's words as text: names of calls, kinds, traits and results, and rows as x86_64.def writes them. For
// whatever prints or parses: tracer, policy parser, docs, tests. Hosted; the shim sees table.h only.
//
//   Name(0)                      "read"
//   Name(Nr::openat)             "openat"
//   Number("openat")             257
//   Describe(Get(Nr::read).args[1])   "Upto(BufOut(2))"
//
// Thread safety: all functions are pure. Views last for ever.
#ifndef GUISE_PROTO_SYSCALL_NAMES_H_
#define GUISE_PROTO_SYSCALL_NAMES_H_

#include <stdint.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/syscall/table.h"

namespace guise::syscall {

// The call's name in the kernel's table, or "" for a number without a row.
std::string_view Name(uint32_t nr);
std::string_view Name(Nr nr);

// The number of the call with exactly this name.
std::optional<uint32_t> Number(std::string_view name);

// The enumerator's name, or "" for a value that is none.
std::string_view Name(Result result);
std::string_view Name(Trait trait);
std::string_view Name(ArgKind kind);

// What kinds.h says of it: a phrase without a full stop. "" for ArgKind::None and for values that are none.
std::string_view Meaning(Result result);
std::string_view Meaning(Trait trait);
std::string_view Meaning(ArgKind kind);

// Every enumerator, in the order of kinds.h; without ArgKind::None.
std::span<const Result> AllResults();
std::span<const Trait> AllTraits();
std::span<const ArgKind> AllArgKinds();

// The trait or kind with exactly this name.
std::optional<Trait> TraitNamed(std::string_view name);
std::optional<ArgKind> ArgKindNamed(std::string_view name);

// A column as x86_64.def writes it: "MayBlock | Restartable", "Opt(StructIn(16))", "Since(6, 7)".
std::string Describe(Traits traits);
std::string Describe(const Arg& arg);
std::string Describe(Kernels kernels);

}  // namespace guise::syscall

#endif  // GUISE_PROTO_SYSCALL_NAMES_H_
