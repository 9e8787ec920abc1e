#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "absl/status/status.h"
#include "personalities/api/argument.h"
#include "personalities/api/claims.h"
#include "personalities/api/identity.h"
#include "personalities/api/personality.h"
#include "personalities/api/port.h"
#include "personalities/api/result.h"

namespace guise::api {
// What the table forbids does not compile. Outside the unnamed namespace, where a compiler wants a handler defined.
struct Any : Personality {
  std::string_view Name() const noexcept override { return "any"; }
  void Claim(Claims&) const override {}
  SysTask Handle(Call&, Below) const { co_return SysResult::Ok(); }
};

namespace {

template <Nr kNr>
constexpr bool kDenies = requires(Claims claims) {
  claims.Deny<kNr>(1);
};
template <Nr kNr>
constexpr bool kServes = requires(Claims claims, Any any) {
  claims.Serve<kNr, &Any::Handle>(any);
};
template <Nr kNr>
constexpr bool kOverlays = requires(Claims claims) {
  claims.Overlay<kNr>();
};
template <Nr kOld, Nr kNew, FoldArgument... kArgs>
constexpr bool kFolds = requires(Claims claims) {
  claims.Fold<kOld, kNew, kArgs...>();
};

static_assert(kDenies<Nr::acct> && kServes<Nr::read> && kOverlays<Nr::statx>);
static_assert(!kDenies<Nr::exit_group> && !kServes<Nr::execve> && !kServes<Nr::rt_sigreturn>);
static_assert(!kOverlays<Nr::read> && !kOverlays<Nr::fchownat>);
static_assert(kFolds<Nr::creat, Nr::openat, Put(-100), From(0), Put(577), From(1)>);
static_assert(!kFolds<Nr::creat, Nr::openat, Put(-100), From(0), Put(577), From(2)>, "creat has two arguments");
static_assert(!kFolds<Nr::creat, Nr::openat, Put(-100), From(0), Put(577)>, "openat has four");
static_assert(!kFolds<Nr::creat, Nr::execve, From(0), From(1), From(1)>, "execve is the caller's own");

TEST(SysResultTest, TellsErrorsFromValuesAsTheKernelDoes) {
  EXPECT_TRUE(SysResult::FromRaw(static_cast<uint64_t>(-4096)).ok());
  EXPECT_FALSE(SysResult::FromRaw(static_cast<uint64_t>(-4095)).ok());
  EXPECT_EQ(SysResult::Error(EPERM).error(), EPERM);
  EXPECT_EQ(SysResult::Error(EPERM).raw(), static_cast<uint64_t>(-EPERM));
  EXPECT_TRUE(SysResult::Error(EPERM).Is(EPERM));
  EXPECT_EQ(SysResult::Ok(7).error(), 0);
}

TEST(ArgumentTest, NumbersAreSignExtended) {
  EXPECT_EQ(Argument(-1).value, ~uint64_t{0});
  EXPECT_EQ(Argument(0xffffffffu).value, 0xffffffffu);
  EXPECT_EQ(Argument(GuestFd(-100)).value, static_cast<uint64_t>(-100));
  EXPECT_EQ(Argument(GuestPtr<int>(8) + 2).value, 16u);
  EXPECT_EQ(Argument(Room<int>()).space, Argument::Space::kNoRoom);
  EXPECT_EQ(Argument(Room<int>(8192)).space, Argument::Space::kInbound);
}

TEST(FrameArenaTest, IsAStackWithTheHeapBehindIt) {
  FrameArena arena;
  constexpr size_t kHalf = FrameArena::kBytes / 2 - 16;
  void* first = arena.Allocate(kHalf);
  void* second = arena.Allocate(kHalf);
  void* third = arena.Allocate(kHalf);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 16, 0u);
  EXPECT_EQ(arena.heap_frames(), 1u);
  EXPECT_EQ(arena.live(), 3u);
  FrameArena::Free(third);
  FrameArena::Free(second);
  void* again = arena.Allocate(kHalf - 100);
  EXPECT_EQ(again, second);
  EXPECT_EQ(arena.heap_frames(), 1u);
  // Out of order: the hole is given back with the last frame.
  FrameArena::Free(first);
  FrameArena::Free(again);
  EXPECT_EQ(arena.live(), 0u);
  void* whole = arena.Allocate(FrameArena::kBytes - 16);
  EXPECT_EQ(whole, first);
  EXPECT_EQ(arena.heap_frames(), 1u);
  FrameArena::Free(whole);
}

TEST(RegistryTest, RefusesNamesThatAreNoneOrTaken) {
  const auto make = &MakeWithoutArgument<Any>;
  Registry registry;
  EXPECT_TRUE(registry.Add({"any", make}).ok());
  EXPECT_EQ(registry.Add({"any", make}).code(), absl::StatusCode::kAlreadyExists);
  for (const char* name : {"", "Any", "a,b", "1a", "a b"}) {
    EXPECT_EQ(registry.Add({name, make}).code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(registry.Make("any").ok());
  EXPECT_EQ(registry.Make("other").status().message(), "there is no personality 'other'; this server has any");
  EXPECT_EQ(registry.Make("any:thing").status().message(),
            "personality 'any:thing': it takes no argument; leave out the colon and what follows");
  EXPECT_EQ(registry.Names(), std::vector<std::string_view>{"any"});
}

TEST(IdentityTest, AnExecMakesSavedAndFilesystemIdsTheEffectiveOnes) {
  Identity identity = Identity::Root();
  identity.uid = {1, 2, 3, 4};
  EXPECT_EQ(identity.AfterExec().uid, (Ids{1, 2, 2, 2}));
  EXPECT_EQ(identity.AfterExec().AfterExec(), identity.AfterExec());
}

}  // namespace
}  // namespace guise::api
