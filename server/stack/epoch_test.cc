#include "server/stack/epoch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "personalities/api/claims.h"
#include "personalities/api/personality.h"
#include "personalities/fakeroot/fakeroot.h"
#include "personalities/linux/linux.h"
#include "proto/syscall/names.h"
#include "proto/syscall/table.h"

namespace guise::server {
namespace {

using api::Claims;
using api::From;
using api::Nr;
using api::Put;
using api::SysTask;
using testing::HasSubstr;
using wire::ActionVerb;
using wire::Placement;

// Folds old calls, as `legacy` will.
class Folding : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "folding"; }
  void Claim(Claims& claims) const override {
    claims.Fold<Nr::open, Nr::openat, Put(AT_FDCWD), From(0), From(1), From(2)>();
    claims.Fold<Nr::chown, Nr::fchownat, Put(AT_FDCWD), From(0), From(1), From(2), Put(0)>();
    claims.Deny<Nr::acct>(EPERM);
    claims.Constant<Nr::getpid>(-7);
  }
};

// Shows a kernel, and folds what its overlay is laid over.
class Old : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "old"; }
  void Claim(Claims& claims) const override {
    claims.ShowKernelAs({"2.6.32", "#1 SMP"});
    claims.EmulateVsyscallAt(0xffffffffff600000);
    claims.Overlay<Nr::uname>();
    claims.Fold<Nr::stat, Nr::newfstatat, Put(AT_FDCWD), From(0), From(1), Put(0)>();
    claims.Fold<Nr::pause, Nr::ppoll, Put(0), Put(0), Put(0), Put(0), Put(8)>();
    claims.Fold<Nr::dup2, Nr::dup3, From(0), From(1), Put(0)>().UnlessSame<&Old::Same>(0, 1, *this);
  }

 private:
  SysTask Same(api::Call& call, api::Below) const { co_return api::SysResult::Ok(call.Arg<uint32_t>(1)); }
};

// Attempts a call that nobody claims, one that it overlays, one that others fold to, and one that it denies.
class Attempting : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "attempting"; }
  void Claim(Claims& claims) const override {
    claims.Attempt<Nr::openat, &Attempting::Again>(*this);
    claims.Overlay<Nr::stat>();
    claims.Attempt<Nr::stat, &Attempting::Again>(*this);
    claims.Attempt<Nr::newfstatat, &Attempting::Again>(*this);
    claims.Deny<Nr::acct>(EPERM);
    claims.Attempt<Nr::acct, &Attempting::Again>(*this);
    claims.Attempt<Nr::open, &Attempting::Again>(*this, api::AskOn::kInvalid);
  }

 private:
  SysTask Again(api::Call& call, api::Below below) const { co_return below.Tail(call); }
};

// Serves calls from some time on, and of some of them those alone that have a bit.
class Later : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "later"; }
  void Claim(Claims& claims) const override {
    claims.ServeOnce<Nr::mkdir, &Later::Answer>(api::Once::kOwnersVary, *this);
    claims.ServeOnce<Nr::openat, &Later::Answer>(api::Once::kOwnersVary, *this).IfAny(2, O_CREAT);
    claims.Attempt<Nr::openat, &Later::Answer>(*this);
    claims.ServeOnce<Nr::fchmod, &Later::Answer>(api::Once::kGroupKept, *this)
        .IfAny(1, 02000)
        .AndAll(api::Once::kDiverged);
  }

 private:
  SysTask Answer(api::Call& call, api::Below below) const { co_return below.Tail(call); }
};

class TooLong : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "too-long"; }
  void Claim(Claims& claims) const override { claims.ShowKernelAs({std::string(64, '9'), ""}); }
};

class Serving : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "serving"; }
  void Claim(Claims& claims) const override { claims.Serve<Nr::newfstatat, &Serving::Stat>(*this); }

 private:
  SysTask Stat(api::Call& call, api::Below below) const { co_return below.Tail(call); }
};

class Twice : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "twice"; }
  void Claim(Claims& claims) const override {
    claims.Deny<Nr::acct>(EPERM);
    claims.Deny<Nr::acct>(EACCES);
  }
};

uint32_t Number(Nr nr) { return static_cast<uint32_t>(nr); }

class EpochTest : public testing::Test {
 protected:
  EpochTest() {
    for (const api::Registration& registration :
         {personalities::Linux::Register(), personalities::Fakeroot::Register(),
          api::Registration{"folding", &api::MakeWithoutArgument<Folding>},
          api::Registration{"serving", &api::MakeWithoutArgument<Serving>},
          api::Registration{"twice", &api::MakeWithoutArgument<Twice>},
          api::Registration{"old", &api::MakeWithoutArgument<Old>},
          api::Registration{"attempting", &api::MakeWithoutArgument<Attempting>},
          api::Registration{"later", &api::MakeWithoutArgument<Later>},
          api::Registration{"too-long", &api::MakeWithoutArgument<TooLong>}}) {
      EXPECT_TRUE(registry_.Add(registration).ok());
    }
  }

  absl::StatusOr<std::shared_ptr<const Epoch>> Compile(std::vector<std::string> layers,
                                                       std::vector<PlacementOverride> overrides = {}) {
    EpochSpec spec;
    spec.number = 7;
    spec.layers = std::move(layers);
    spec.overrides = std::move(overrides);
    spec.owner_uid = 1000;
    spec.owner_gid = 1001;
    return Epoch::Compile(registry_, spec);
  }

  void ExpectRefused(std::vector<std::string> layers, std::vector<PlacementOverride> overrides, const char* words) {
    const auto epoch = Compile(std::move(layers), std::move(overrides));
    EXPECT_EQ(epoch.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(epoch.status().message()), HasSubstr(words));
  }

  static ActionRow ActionOf(const Tables& tables, Nr nr) { return tables.actions[tables.action[Number(nr)]]; }

  api::Registry registry_;
};

TEST_F(EpochTest, LinuxPlacesEverythingInTheKernel) {
  for (const std::vector<std::string>& layers : {std::vector<std::string>{"linux"}, std::vector<std::string>{}}) {
    const auto epoch = Compile(layers);
    ASSERT_TRUE(epoch.ok()) << epoch.status();
    const Tables& tables = (*epoch)->tables();
    for (const Placement placement : tables.placement) EXPECT_EQ(placement, Placement::kKernel);
    EXPECT_EQ(tables.epoch, 7u);
    EXPECT_EQ(tables.on_loss, wire::OnLoss::kNative);
    EXPECT_EQ(tables.flags, 0u);
    EXPECT_EQ((*epoch)->layers(), std::vector<std::string>{"linux"});
  }
}

TEST_F(EpochTest, AllServerMovesWhatMayLeaveItsCaller) {
  const auto epoch = Compile({"linux"}, {{"all", Placement::kServer}});
  ASSERT_TRUE(epoch.ok());
  const Tables& tables = (*epoch)->tables();
  int moved = 0;
  for (uint32_t nr = 0; nr < wire::kTableNumbers; ++nr) {
    const syscall::Row* row = syscall::Find(nr);
    const bool movable = row != nullptr && !row->Has(syscall::Trait::CallerOnly);
    EXPECT_EQ(tables.placement[nr], movable ? Placement::kServer : Placement::kKernel) << syscall::Name(nr);
    if (movable) ++moved;
  }
  EXPECT_GT(moved, 300);
}

TEST_F(EpochTest, WhatGuestsAreToldOfTheKernelIsPublished) {
  const auto epoch = Compile({"old"});
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  const Tables& tables = (*epoch)->tables();
  EXPECT_EQ(tables.flags, uint32_t{wire::kShowKernel});
  EXPECT_EQ(tables.kernel_release, "2.6.32");
  EXPECT_EQ(tables.kernel_version, "#1 SMP");
  EXPECT_EQ(tables.vsyscall, 0xffffffffff600000u);
  EXPECT_EQ(ActionOf(tables, Nr::uname).verb, ActionVerb::kOverlay);
  ExpectRefused({"too-long"}, {}, "'too-long' shows a kernel release or version of more than 63 bytes");
  // The shim alone knows what a program needs.
  const auto moved = Compile({"old"}, {{"all", Placement::kServer}});
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ((*moved)->tables().placement[Number(Nr::uname)], Placement::kShim);
  ExpectRefused({"old"}, {{"uname", Placement::kServer}}, "uname tells of the kernel");
}

TEST_F(EpochTest, FoldsShareConstantsAndMayDemandArgumentsThatDiffer) {
  const auto epoch = Compile({"old"});
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  const Tables& tables = (*epoch)->tables();
  const ActionRow pause = ActionOf(tables, Nr::pause);
  EXPECT_EQ(pause.count, 5);
  EXPECT_EQ(pause.from[0], pause.from[3]);
  EXPECT_EQ(pause.constants[pause.from[4] - api::Folding::kFirstConstant], 8);
  EXPECT_EQ(ActionOf(tables, Nr::stat).differ[1], 0);
  EXPECT_EQ(ActionOf(tables, Nr::dup2).differ[1], 1);
  EXPECT_EQ(tables.placement[Number(Nr::dup2)], Placement::kShim);
}

TEST_F(EpochTest, AnOverlayOfAFileMayLieOverAFoldOfItsCall) {
  const auto epoch = Compile({"fakeroot", "old"});
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  EXPECT_EQ(ActionOf((*epoch)->tables(), Nr::stat).verb, ActionVerb::kOverlay);
  EXPECT_EQ(ActionOf((*epoch)->tables(), Nr::dup2).verb, ActionVerb::kFold);
}

TEST_F(EpochTest, AGenericKernelNeedsAllOldCallsAnswered) {
  EpochSpec spec;
  spec.layers = {"old"};
  spec.generic_kernel = true;
  const absl::Status status = Epoch::Compile(registry_, spec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'old': the session's kernel is generic and refuses open"));
}

TEST_F(EpochTest, FakerootPublishesConstantsOverlaysAndItsOwnerMap) {
  const auto epoch = Compile({"fakeroot"});
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  const Tables& tables = (*epoch)->tables();
  EXPECT_EQ(tables.placement[Number(Nr::getuid)], Placement::kShim);
  EXPECT_EQ(ActionOf(tables, Nr::getuid).verb, ActionVerb::kConstant);
  EXPECT_EQ(ActionOf(tables, Nr::getuid).value, 0);
  EXPECT_EQ(ActionOf(tables, Nr::statx).verb, ActionVerb::kOverlay);
  EXPECT_EQ(tables.placement[Number(Nr::fchownat)], Placement::kServer);
  EXPECT_EQ(tables.placement[Number(Nr::read)], Placement::kKernel);
  EXPECT_EQ(tables.flags, wire::kMapOwner | wire::kKeepsIdentities);
  EXPECT_EQ(tables.owner_from, 1000u);
  EXPECT_EQ(tables.group_from, 1001u);
  EXPECT_EQ(tables.owner_to, 0u);
  EXPECT_EQ(tables.on_loss, wire::OnLoss::kFail);
  EXPECT_EQ((*epoch)->MapOwner({1000, 5}), (api::Owner{0, 5}));
  EXPECT_EQ((*epoch)->tables({.diverged = true}).placement[Number(Nr::getuid)], Placement::kServer);
  EXPECT_EQ((*epoch)->tables({.diverged = true}).placement[Number(Nr::statx)], Placement::kShim);
}

TEST_F(EpochTest, AttributesAreAskedForNativelyUntilSomeAreKept) {
  const auto epoch = Compile({"fakeroot"});
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  for (const bool diverged : {false, true}) {
    const Tables& before = (*epoch)->tables({.diverged = diverged});
    const Tables& after = (*epoch)->tables({.diverged = diverged, .keeps_attributes = true});
    EXPECT_EQ(before.placement[Number(Nr::flistxattr)], Placement::kKernel);
    EXPECT_EQ(ActionOf(before, Nr::fgetxattr).verb, ActionVerb::kAttempt);
    EXPECT_EQ(ActionOf(before, Nr::getxattr).verb, ActionVerb::kAttempt) << "for want of permission bits";
    EXPECT_EQ(after.placement[Number(Nr::fgetxattr)], Placement::kServer);
    EXPECT_EQ(after.placement[Number(Nr::getxattr)], Placement::kServer);
    EXPECT_EQ(ActionOf(after, Nr::setxattr).verb, ActionVerb::kAttempt);
    EXPECT_EQ(after.placement[Number(Nr::getuid)], diverged ? Placement::kServer : Placement::kShim);
  }
}

TEST_F(EpochTest, FakerootLooksAtWhatIsMadeWhenOwnersVaryAndNotBefore) {
  const auto epoch = Compile({"fakeroot"});
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  for (const Nr nr : {Nr::open, Nr::openat, Nr::mkdir, Nr::symlinkat, Nr::chmod}) {
    EXPECT_EQ(ActionOf((*epoch)->tables(), nr).verb, ActionVerb::kAttempt) << syscall::Name(Number(nr));
    EXPECT_EQ(ActionOf((*epoch)->tables(), nr).tested, 0) << syscall::Name(Number(nr));
  }
  EXPECT_EQ((*epoch)->tables().placement[Number(Nr::bind)], Placement::kKernel);
  EXPECT_EQ((*epoch)->tables().placement[Number(Nr::fchmod)], Placement::kKernel);
  EXPECT_EQ(ActionOf((*epoch)->tables(), Nr::unlink).verb, ActionVerb::kAttempt);
  EXPECT_EQ((*epoch)->tables({.diverged = true}).placement[Number(Nr::unlink)], Placement::kServer);
  EXPECT_EQ((*epoch)->tables({.diverged = true}).placement[Number(Nr::mkdir)], Placement::kServer);
  EXPECT_EQ((*epoch)->tables({.diverged = true}).placement[Number(Nr::openat)], Placement::kShim);
  EXPECT_EQ((*epoch)->tables({.diverged = true}).placement[Number(Nr::getdents64)], Placement::kKernel);
  EXPECT_EQ((*epoch)->tables({.keeps_block_devices = true}).placement[Number(Nr::getdents64)], Placement::kServer);
}

TEST_F(EpochTest, AClaimForLaterIsNoneBeforeAndMayBeOfSomeCallsOnly) {
  const auto epoch = Compile({"later"});
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  for (const KeptGroups groups : {KeptGroups::kNone, KeptGroups::kOfDirectory}) {
    const Tables& before = (*epoch)->tables({.groups = groups});
    EXPECT_EQ(before.placement[Number(Nr::mkdir)], Placement::kKernel);
    EXPECT_EQ(ActionOf(before, Nr::openat).verb, ActionVerb::kAttempt);
    EXPECT_EQ(ActionOf(before, Nr::openat).tested, 0) << "each call would be looked at";
  }
  EXPECT_EQ((*epoch)->tables().placement[Number(Nr::fchmod)], Placement::kKernel);
  EXPECT_EQ(ActionOf((*epoch)->tables({.groups = KeptGroups::kOfDirectory}), Nr::fchmod).bits, 02000u);
  EXPECT_EQ((*epoch)->tables({.diverged = true}).placement[Number(Nr::fchmod)], Placement::kServer);
  for (const Past& past : {Past{.diverged = true}, Past{.groups = KeptGroups::kInherited}}) {
    const Tables& after = (*epoch)->tables(past);
    EXPECT_EQ(after.placement[Number(Nr::mkdir)], Placement::kServer);
    EXPECT_EQ(after.placement[Number(Nr::openat)], Placement::kShim);
    EXPECT_EQ(ActionOf(after, Nr::openat).tested, 3);
    EXPECT_EQ(ActionOf(after, Nr::openat).bits, uint32_t{O_CREAT});
    EXPECT_EQ(ActionOf(after, Nr::openat).asks, static_cast<uint8_t>(wire::AskOn::kRefused));
  }
  // A fold's arguments are others.
  const auto above = Compile({"folding", "later"});
  ASSERT_TRUE(above.ok()) << above.status();
  EXPECT_EQ((*above)->tables().placement[Number(Nr::open)], Placement::kShim);
  EXPECT_EQ((*above)->tables({.diverged = true}).placement[Number(Nr::open)], Placement::kServer);
}

TEST_F(EpochTest, AFoldIsTheShimsUnlessALayerBeneathClaimsTheNewCall) {
  const auto alone = Compile({"folding"});
  ASSERT_TRUE(alone.ok()) << alone.status();
  const ActionRow open = ActionOf((*alone)->tables(), Nr::open);
  EXPECT_EQ(open.verb, ActionVerb::kFold);
  EXPECT_EQ(open.nr, Number(Nr::openat));
  EXPECT_EQ(open.count, 4);
  EXPECT_EQ(open.from[0], 6);
  EXPECT_EQ(open.constants[0], AT_FDCWD);
  EXPECT_EQ(open.from[3], 2);
  EXPECT_EQ(ActionOf((*alone)->tables(), Nr::chown).constants[1], 0);
  EXPECT_EQ(ActionOf((*alone)->tables(), Nr::acct).verb, ActionVerb::kDeny);
  EXPECT_EQ(ActionOf((*alone)->tables(), Nr::acct).value, -EPERM);

  const auto above = Compile({"folding", "fakeroot"});
  ASSERT_TRUE(above.ok()) << above.status();
  EXPECT_EQ((*above)->tables().placement[Number(Nr::chown)], Placement::kServer);
  EXPECT_EQ((*above)->tables().placement[Number(Nr::open)], Placement::kShim);

  const auto beneath = Compile({"fakeroot", "folding"});
  ASSERT_TRUE(beneath.ok()) << beneath.status();
  EXPECT_EQ((*beneath)->tables().placement[Number(Nr::chown)], Placement::kServer);
}

// What is attempted is made where it would be made otherwise, and the server is asked what the kernel refuses.
TEST_F(EpochTest, AnAttemptIsMadeWhereItIsMadeWithoutIt) {
  const auto alone = Compile({"attempting"});
  ASSERT_TRUE(alone.ok()) << alone.status();
  const Tables& tables = (*alone)->tables();
  constexpr auto kRefused = static_cast<uint8_t>(wire::AskOn::kRefused);
  constexpr auto kInvalid = static_cast<uint8_t>(wire::AskOn::kInvalid);
  const auto expect = [](const Tables& of, Nr nr, ActionVerb verb, uint8_t asks) {
    EXPECT_EQ(of.placement[Number(nr)], Placement::kShim) << syscall::Name(Number(nr));
    EXPECT_EQ(ActionOf(of, nr).verb, verb) << syscall::Name(Number(nr));
    EXPECT_EQ(ActionOf(of, nr).asks, asks) << syscall::Name(Number(nr));
  };
  expect(tables, Nr::openat, ActionVerb::kAttempt, kRefused);
  expect(tables, Nr::stat, ActionVerb::kOverlay, kRefused);
  expect(tables, Nr::acct, ActionVerb::kDeny, 0);

  const auto above = Compile({"folding", "attempting"});
  ASSERT_TRUE(above.ok()) << above.status();
  expect((*above)->tables(), Nr::open, ActionVerb::kFold, kRefused);
  const auto beneath = Compile({"attempting", "folding"});
  ASSERT_TRUE(beneath.ok()) << beneath.status();
  expect((*beneath)->tables(), Nr::open, ActionVerb::kFold, kInvalid);
  const auto served = Compile({"attempting", "serving"});
  ASSERT_TRUE(served.ok()) << served.status();
  EXPECT_EQ((*served)->tables().placement[Number(Nr::newfstatat)], Placement::kServer);

  // The old call is made first: a kernel without it refuses it.
  EpochSpec spec;
  spec.layers = {"fakeroot"};
  spec.generic_kernel = true;
  EXPECT_THAT(std::string(Epoch::Compile(registry_, spec).status().message()), HasSubstr("no layer answers"));
}

TEST_F(EpochTest, OverridesMoveSingleCallsAndTheLastWins) {
  const auto epoch = Compile({"fakeroot"}, {{"all", Placement::kServer},
                                            {"getuid", Placement::kShim},
                                            {"read", Placement::kKernel},
                                            {"write", std::nullopt},
                                            {"statx", Placement::kKernel},
                                            {"statx", Placement::kServer}});
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  const Tables& tables = (*epoch)->tables();
  EXPECT_EQ(tables.placement[Number(Nr::getuid)], Placement::kShim);
  EXPECT_EQ((*epoch)->tables({.diverged = true}).placement[Number(Nr::getuid)], Placement::kServer);
  EXPECT_EQ(tables.placement[Number(Nr::read)], Placement::kKernel);
  EXPECT_EQ(tables.placement[Number(Nr::write)], Placement::kKernel);
  EXPECT_EQ(tables.placement[Number(Nr::statx)], Placement::kServer);
  EXPECT_EQ(tables.placement[Number(Nr::close)], Placement::kServer);
}

TEST_F(EpochTest, RefusalsNameTheObjectAndTheRemedy) {
  ExpectRefused({"nobody"}, {}, "no personality 'nobody'; this server has linux, fakeroot");
  ExpectRefused({"fakeroot", "fakeroot"}, {}, "'fakeroot' is named twice");
  ExpectRefused({"linux", "fakeroot"}, {}, "stands alone");
  ExpectRefused({"fakeroot", "linux"}, {}, "stands alone");
  ExpectRefused({"twice"}, {}, "personality 'twice', claim on acct: claimed twice");
  ExpectRefused({"fakeroot", "serving"}, {}, "put 'serving' to its left");
  ExpectRefused({"linux"}, {{"nosuchcall", Placement::kServer}}, "no syscall 'nosuchcall'");
  ExpectRefused({"linux"}, {{"exit_group", Placement::kServer}}, "cannot be moved");
  ExpectRefused({"linux"}, {{"read", Placement::kShim}}, "read cannot be answered in the shim");
  ExpectRefused(std::vector<std::string>(Epoch::kMaxLayers + 1, "x"), {}, "at most 8");
}

}  // namespace
}  // namespace guise::server
