#include "proto/syscall/names.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

namespace guise::syscall {
namespace {

TEST(NamesTest, EveryNameLeadsBackToItsNumber) {
  for (const Row& row : kTable) {
    const std::string_view name = Name(row.nr);
    ASSERT_FALSE(name.empty());
    EXPECT_EQ(Number(name), static_cast<uint32_t>(row.nr)) << name;
  }
}

TEST(NamesTest, NumbersWithoutARowHaveNoName) {
  EXPECT_EQ(Name(400), "");
  EXPECT_EQ(Name(0xffffffff), "");
  EXPECT_EQ(Name(kNoNr), "");
}

TEST(NamesTest, OnlyTheExactNameIsKnown) {
  EXPECT_EQ(Number("openat"), 257u);
  EXPECT_EQ(Number("_sysctl"), 156u);
  EXPECT_EQ(Number(""), std::nullopt);
  EXPECT_EQ(Number("open_at"), std::nullopt);
  EXPECT_EQ(Number("OPENAT"), std::nullopt);
  EXPECT_EQ(Number("openat "), std::nullopt);
  EXPECT_EQ(Number("~"), std::nullopt);
}

TEST(NamesTest, EveryWordHasANameOfItsOwnAndAMeaning) {
  std::set<std::string_view> results;
  for (const Result result : AllResults()) {
    EXPECT_TRUE(results.insert(Name(result)).second) << Name(result);
    EXPECT_NE(Meaning(result), "");
  }
  // Traits and kinds stand in neighbouring columns of the .def and must not be mistaken for each other.
  std::set<std::string_view> words;
  for (const Trait trait : AllTraits()) {
    EXPECT_TRUE(words.insert(Name(trait)).second) << Name(trait);
    EXPECT_NE(Meaning(trait), "");
    EXPECT_EQ(TraitNamed(Name(trait)), trait);
  }
  for (const ArgKind kind : AllArgKinds()) {
    EXPECT_TRUE(words.insert(Name(kind)).second) << Name(kind);
    EXPECT_NE(Meaning(kind), "");
    EXPECT_EQ(ArgKindNamed(Name(kind)), kind);
  }
  EXPECT_EQ(Name(ArgKind::None), "");
}

TEST(NamesTest, EveryWordIsUsedByARow) {
  std::set<ArgKind> kinds;
  std::set<Result> results;
  Traits traits;
  for (const Row& row : kTable) {
    results.insert(row.result);
    traits = traits | row.traits;
    for (const Arg& arg : row.Args()) kinds.insert(arg.kind);
  }
  for (const ArgKind kind : AllArgKinds()) EXPECT_TRUE(kinds.contains(kind)) << Name(kind);
  for (const Result result : AllResults()) EXPECT_TRUE(results.contains(result)) << Name(result);
  for (const Trait trait : AllTraits()) EXPECT_TRUE(traits.Has(trait)) << Name(trait);
}

TEST(NamesTest, RowsAreDescribedAsTheDefWritesThem) {
  EXPECT_EQ(Describe(Get(Nr::read).args[1]), "Upto(BufOut(2))");
  EXPECT_EQ(Describe(Get(Nr::rt_sigaction).args[1]), "Opt(StructIn(32))");
  EXPECT_EQ(Describe(Get(Nr::msgrcv).args[1]), "Upto(Prefix(8, BufOut(2)))");
  EXPECT_EQ(Describe(Get(Nr::epoll_wait).args[1]), "Upto(ArrayOut(12, 2))");
  EXPECT_EQ(Describe(Get(Nr::perf_event_open).args[0]), "SizedIn(4)");
  EXPECT_EQ(Describe(Get(Nr::init_module).args[2]), "Str(0)");
  EXPECT_EQ(Describe(Get(Nr::openat).args[4]), "");
  EXPECT_EQ(Describe(Get(Nr::getpid).traits), "Plain");
  EXPECT_EQ(Describe(Get(Nr::poll).traits), "MayBlock | RestartBlock | Obsolete | NotInGeneric");
  EXPECT_EQ(Describe(Get(Nr::read).kernels), "Always");
  EXPECT_EQ(Describe(Get(Nr::mseal).kernels), "Since(6, 10)");
  EXPECT_EQ(Describe(Get(Nr::uselib).kernels), "Until(6, 16)");
  EXPECT_EQ(Describe(Get(Nr::tuxcall).kernels), "Never");
}

}  // namespace
}  // namespace guise::syscall
