// Conversations with a scripted guest: what is answered, in which order, under which layers.
#include "server/stack/conversation.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "personalities/api/claims.h"
#include "personalities/api/personality.h"
#include "proto/wire/slot.h"
#include "proto/wire/store.h"
#include "server/stack/native_guest.h"
#include "server/store/store.h"

namespace guise::server {
namespace {

using api::Below;
using api::Call;
using api::Claims;
using api::From;
using api::Nr;
using api::Put;
using api::Room;
using api::SysResult;
using api::SysTask;
using api::Task;
using wire::Verb;

constexpr api::Inode kFile = {8, 1, 42, 5, 6};

// Calls of its own choosing, told apart by the number that it claims.
class Lower : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "lower"; }
  void Claim(Claims& claims) const override {
    claims.Serve<Nr::read, &Lower::Twice>(*this);
    claims.Serve<Nr::close, &Lower::Tails>(*this);
    claims.Serve<Nr::chmod, &Lower::CommitThenTail>(*this);
    claims.Serve<Nr::fchmod, &Lower::CommitThenFail>(*this);
    claims.Serve<Nr::pipe, &Lower::CopiesOut>(*this);
    claims.Serve<Nr::sync, &Lower::ForEver>(*this);
    claims.Serve<Nr::syncfs, &Lower::FillsRoom>(*this);
    claims.Serve<Nr::mkdir, &Lower::ManyCommits>(*this);
    claims.Serve<Nr::rmdir, &Lower::RunsCallerOnly>(*this);
    claims.Guard<Nr::dup, &Lower::Veto>(*this);
    claims.Fold<Nr::dup2, Nr::dup3, From(0), From(1), Put(-9)>();
    claims.Deny<Nr::acct>(EPERM);
    claims.Constant<Nr::getpid>(77);
    claims.Serve<Nr::dup3, &Lower::Tails>(*this);
    claims.Serve<Nr::getrusage, &Lower::FailsAndTells>(*this);
    claims.Serve<Nr::times, &Lower::ReadsAndWrites>(*this);
    claims.Serve<Nr::unlink, &Lower::TimesTen>(*this);
    claims.Attempt<Nr::unlink, &Lower::AndHundred>(*this);
  }

 private:
  static Task<SysResult> One(Call& call, int number) {
    const SysResult result = co_await call.Run(Nr::getppid, number);
    co_return result;
  }
  SysTask Twice(Call& call, Below) const {
    const SysResult first = co_await One(call, 1);
    const SysResult second = co_await One(call, 2);
    co_return SysResult::Ok(first.value() * 10 + second.value());
  }
  SysTask FailsAndTells(Call& call, Below) const {
    const uint64_t told = 7;
    if (call.Arg<int>(0) == 0) {
      call.CopyOut(1, told);
    } else {
      call.CopyOutAlways(1, told);
    }
    co_return SysResult::Error(EINTR);
  }
  SysTask ReadsAndWrites(Call& call, Below) const {
    const Room<uint64_t> room = call.MakeRoom(uint64_t{42});
    const SysResult result = co_await call.Run(Nr::getppid, room);
    if (!result.ok()) co_return result;
    co_return SysResult::Ok(call.Read(room));
  }
  SysTask Tails(Call& call, Below below) const { co_return below.Tail(call); }
  SysTask TimesTen(Call& call, Below below) const {
    const SysResult result = co_await below(call);
    co_return SysResult::Ok(result.value() * 10);
  }
  SysTask AndHundred(Call& call, Below below) const {
    const SysResult result = co_await below(call);
    co_return SysResult::Ok(result.value() + 100);
  }
  SysTask CommitThenTail(Call& call, Below below) const {
    call.Commit(api::SetOwner{kFile, 1, 2});
    co_return below.Tail(call);
  }
  SysTask CommitThenFail(Call& call, Below) const {
    call.Commit(api::SetOwner{kFile, 1, 2});
    co_return SysResult::Error(EPERM);
  }
  SysTask CopiesOut(Call& call, Below) const {
    call.CopyOut(0, std::string_view("abcd"));
    co_return SysResult::Ok();
  }
  SysTask ForEver(Call& call, Below) const {
    while (true) {
      const SysResult result = co_await call.Run(Nr::getppid);
      if (!result.ok()) co_return result;
    }
  }
  SysTask FillsRoom(Call& call, Below) const {
    struct Big {
      char bytes[8192];
    };
    const Room<Big> all = call.MakeRoom<Big>();
    const SysResult fits = co_await call.Run(Nr::getppid, all);
    const Room<char> more = call.MakeRoom<char>();
    const SysResult full = co_await call.Run(Nr::getppid, more);
    co_return fits.ok() ? full : fits;
  }
  SysTask ManyCommits(Call& call, Below) const {
    for (uint64_t i = 0; i <= wire::kIntentChanges; ++i) {
      api::SetOwner change = {kFile, 1, 2};
      change.inode.number = i;
      call.Commit(change);
    }
    co_return SysResult::Ok();
  }
  SysTask RunsCallerOnly(Call& call, Below) const {
    const SysResult result = co_await call.Run(Nr::vfork);
    co_return result;
  }
  api::Verdict Veto(Call& call) const {
    if (call.Arg<int>(0) == 3) return api::Verdict::Deny(call, EBADF);
    return api::Verdict::Pass(call.With(0, call.Arg<int>(0) + 1));
  }
};

// Above: passes all on, and changes what it awaited.
class Upper : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "upper"; }
  void Claim(Claims& claims) const override {
    claims.Serve<Nr::read, &Upper::AddOne>(*this);
    claims.Serve<Nr::close, &Upper::AddOne>(*this);
    claims.Serve<Nr::lseek, &Upper::AddOne>(*this);
    claims.Serve<Nr::dup, &Upper::Tails>(*this);
    claims.Serve<Nr::acct, &Upper::AddOne>(*this);
    claims.Serve<Nr::getpid, &Upper::AddOne>(*this);
  }

 private:
  SysTask AddOne(Call& call, Below below) const {
    const SysResult result = co_await below(call);
    if (!result.ok()) co_return result;
    co_return SysResult::Ok(result.value() + 1);
  }
  SysTask Tails(Call& call, Below below) const { co_return below.Tail(call); }
};

class ConversationTest : public testing::Test {
 protected:
  ConversationTest() {
    (void)registry_.Add({"lower", &api::MakeWithoutArgument<Lower>});
    (void)registry_.Add({"upper", &api::MakeWithoutArgument<Upper>});
    guest_.set_host([this](uint32_t nr, const std::array<uint64_t, 6>& args) {
      asked_.emplace_back(nr, args[0]);
      return SysResult::Ok(asked_.size());
    });
  }
  void Wear(const std::vector<std::string>& layers) { ASSERT_TRUE(guest_.Wear(registry_, layers).ok()); }
  std::vector<Verb> Verbs() const {
    std::vector<Verb> verbs;
    for (const Answer& answer : guest_.answers()) verbs.push_back(answer.verb);
    return verbs;
  }
  std::optional<wire::OverlayValue> Owner() {
    return guest_.store().FindInode({kFile.number, kFile.birth_seconds, kFile.birth_nanoseconds,
                                     wire::EncodeDev(kFile.device_major, kFile.device_minor)});
  }

  api::Registry registry_;
  NativeGuest guest_;
  std::vector<std::pair<uint32_t, uint64_t>> asked_;
};

uint32_t Number(Nr nr) { return static_cast<uint32_t>(nr); }

TEST_F(ConversationTest, AnUnclaimedCallIsATailUnchanged) {
  Wear({"lower"});
  EXPECT_EQ(guest_.Call(Nr::lseek, 5, 6, 7, 8), SysResult::Ok(1));
  ASSERT_EQ(Verbs(), std::vector{Verb::kTail});
  const Answer& answer = guest_.answers()[0];
  EXPECT_EQ(answer.nr, Number(Nr::lseek));
  EXPECT_EQ(answer.flags, 0u);
  EXPECT_EQ(answer.args[3], 8u);
}

TEST_F(ConversationTest, PartsOfAHandlerRunInOrderAndAreLogged) {
  Wear({"lower"});
  EXPECT_EQ(guest_.Call(Nr::read), SysResult::Ok(12));
  EXPECT_EQ(Verbs(), (std::vector{Verb::kRun, Verb::kRun, Verb::kReturn}));
  EXPECT_EQ(asked_[1], std::pair(Number(Nr::getppid), uint64_t{2}));
  const wire::SlotLog& log = guest_.store().log(3);
  EXPECT_EQ(log.steps[0].key.Acquire(), wire::Key(1, 1));
  EXPECT_EQ(log.steps[1].key.Acquire(), wire::Key(1, 2));
  EXPECT_EQ(log.steps[1].result.Relaxed(), 2u);
}

TEST_F(ConversationTest, ALayerSeesWhatTheLayersBeneathAnswer) {
  Wear({"upper", "lower"});
  EXPECT_EQ(guest_.Call(Nr::read), SysResult::Ok(13));
  EXPECT_EQ(guest_.Call(Nr::acct), SysResult::Error(EPERM));
  EXPECT_EQ(guest_.Call(Nr::getpid), SysResult::Ok(78));
}

TEST_F(ConversationTest, ATailIsARunForALayerThatAwaitsIt) {
  Wear({"upper", "lower"});
  EXPECT_EQ(guest_.Call(Nr::close, 4), SysResult::Ok(2));
  EXPECT_EQ(Verbs(), (std::vector{Verb::kRun, Verb::kReturn}));
  EXPECT_EQ(guest_.Call(Nr::lseek, 4), SysResult::Ok(3));
  Wear({"lower"});
  guest_.Call(Nr::close, 4);
  EXPECT_EQ(Verbs(), std::vector{Verb::kTail});
}

// What is beneath an attempt is what its own layer says else, not the layer beneath.
TEST_F(ConversationTest, AnAttemptStandsAboveItsOwnLayersClaim) {
  Wear({"lower"});
  EXPECT_EQ(guest_.Call(Nr::unlink), SysResult::Ok(110));
  EXPECT_EQ(Verbs(), (std::vector{Verb::kRun, Verb::kReturn}));
  EXPECT_EQ(asked_[0].first, Number(Nr::unlink));
}

TEST_F(ConversationTest, AGuardVetoesOrRewrites) {
  Wear({"upper", "lower"});
  EXPECT_EQ(guest_.Call(Nr::dup, 3), SysResult::Error(EBADF));
  EXPECT_EQ(Verbs(), std::vector{Verb::kReturn});
  guest_.Call(Nr::dup, 4);
  EXPECT_EQ(Verbs(), std::vector{Verb::kTail});
  EXPECT_EQ(guest_.answers()[0].args[0], 5u);
}

TEST_F(ConversationTest, AFoldDoneByTheServerPermutesArguments) {
  Wear({"lower"});
  guest_.Call(Nr::dup2, 11, 12, 99);
  ASSERT_EQ(Verbs(), std::vector{Verb::kTail});
  const Answer& answer = guest_.answers()[0];
  EXPECT_EQ(answer.nr, Number(Nr::dup3));
  EXPECT_EQ(answer.args[0], 11u);
  EXPECT_EQ(answer.args[1], 12u);
  EXPECT_EQ(static_cast<int64_t>(answer.args[2]), -9);
  EXPECT_EQ(answer.args[3], 0u);
}

TEST_F(ConversationTest, CommitsFollowTheResultOfATailAndNeedItsSuccess) {
  Wear({"lower"});
  guest_.set_host([this](uint32_t, const std::array<uint64_t, 6>&) {
    EXPECT_FALSE(Owner().has_value());
    return SysResult::Error(EROFS);
  });
  EXPECT_EQ(guest_.Call(Nr::chmod, 0), SysResult::Error(EROFS));
  EXPECT_FALSE(Owner().has_value());
  EXPECT_EQ(guest_.Call(Nr::fchmod), SysResult::Error(EPERM));
  EXPECT_FALSE(Owner().has_value());
  guest_.set_host([](uint32_t, const std::array<uint64_t, 6>&) { return SysResult::Ok(); });
  EXPECT_EQ(guest_.Call(Nr::chmod, 0), SysResult::Ok());
  EXPECT_EQ(Verbs(), (std::vector{Verb::kRun, Verb::kReturn}));
  EXPECT_EQ(Owner()->gid, 2u);
}

TEST_F(ConversationTest, ACallThatFailsCopiesOutOnlyWhatItAlwaysTells) {
  Wear({"lower"});
  uint64_t told = 1;
  EXPECT_EQ(guest_.Call(Nr::getrusage, 0, &told), SysResult::Error(EINTR));
  EXPECT_EQ(told, 1u);
  EXPECT_EQ(guest_.Call(Nr::getrusage, 1, &told), SysResult::Error(EINTR));
  EXPECT_EQ(told, 7u);
}

TEST_F(ConversationTest, ARoomMayHoldWhatTheCallReadsFirst) {
  Wear({"lower"});
  uint64_t given = 0;
  guest_.set_host([&](uint32_t, const std::array<uint64_t, 6>& args) {
    auto* const room = reinterpret_cast<uint64_t*>(args[0]);
    given = *room;
    *room = 43;
    return SysResult::Ok();
  });
  EXPECT_EQ(guest_.Call(Nr::times), SysResult::Ok(43));
  EXPECT_EQ(given, 42u);
}

TEST_F(ConversationTest, CopyOutsNameTheGuestsArgument) {
  Wear({"lower"});
  char to[4] = {};
  EXPECT_EQ(guest_.Call(Nr::pipe, to), SysResult::Ok());
  EXPECT_EQ(std::string(to, 4), "abcd");
}

TEST_F(ConversationTest, WhatDoesNotFitFailsTheCallAlone) {
  Wear({"lower"});
  EXPECT_EQ(guest_.Call(Nr::sync), SysResult::Error(EIO)) << "more steps than a log holds";
  EXPECT_EQ(guest_.answers().size(), wire::kLoggedSteps + 1);
  EXPECT_EQ(guest_.Call(Nr::syncfs), SysResult::Error(ENOMEM)) << "the run area is full";
  EXPECT_EQ(guest_.answers().size(), 2u);
  EXPECT_EQ(guest_.Call(Nr::mkdir), SysResult::Error(ENOSPC)) << "more changes than an intent holds";
  EXPECT_EQ(guest_.Call(Nr::rmdir), SysResult::Error(ENOSYS)) << "the caller's own calls are not run for a handler";
  EXPECT_EQ(guest_.store().inodes(), 0u);
}

TEST_F(ConversationTest, ACancelledConversationCanBeBegunAgain) {
  Wear({"upper", "lower"});
  Conversation conversation(1, guest_.parts());
  const auto epoch = [&] {
    EpochSpec spec;
    spec.layers = {"upper", "lower"};
    return *Epoch::Compile(registry_, spec);
  };
  CallCopy call;
  call.slot = 1;
  call.nr = Number(Nr::read);
  std::vector<char> outbound(wire::kPayloadSize);
  for (uint64_t round = 1; round <= 3; ++round) {
    call.sequence = round;
    EXPECT_EQ(conversation.Begin(epoch(), call, absl::MakeSpan(outbound)).verb, Verb::kRun);
    EXPECT_TRUE(conversation.running());
    if (round == 2) {
      EXPECT_EQ(conversation.Step(5, {}).verb, Verb::kRun);
    }
    conversation.Cancel();
    EXPECT_FALSE(conversation.running());
  }
  EXPECT_EQ(conversation.Begin(epoch(), call, absl::MakeSpan(outbound)).verb, Verb::kRun);
  EXPECT_EQ(conversation.Step(5, {}).verb, Verb::kRun);
  const Answer last = conversation.Step(6, {});
  EXPECT_EQ(last.verb, Verb::kReturn);
  EXPECT_EQ(last.args[0], 57u);
}

TEST_F(ConversationTest, ACallKeepsItsEpochWhenAnotherIsPublished) {
  std::weak_ptr<const Epoch> old;
  Conversation conversation(1, guest_.parts());
  CallCopy call;
  call.nr = Number(Nr::read);
  std::vector<char> outbound(wire::kPayloadSize);
  {
    EpochSpec spec;
    spec.layers = {"lower"};
    const std::shared_ptr<const Epoch> epoch = *Epoch::Compile(registry_, spec);
    old = epoch;
    conversation.Begin(epoch, call, absl::MakeSpan(outbound));
  }
  EXPECT_FALSE(old.expired());
  conversation.Step(1, {});
  conversation.Step(1, {});
  EXPECT_TRUE(old.expired()) << "and lets it go with its last answer";
}

}  // namespace
}  // namespace guise::server
