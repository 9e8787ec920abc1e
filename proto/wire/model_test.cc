// The protocol of slots and doorbells holds in every interleaving, and the model notices when it is broken.
//
// Each sound run says with what it was walked: guests, slots, calls, deaths. The numbers are as large as a test can
// afford; what they leave out (more guests, more calls) has shown nothing new.
#include "proto/wire/model.h"

#include <gtest/gtest.h>

#include <string>

namespace guise::wire::model {
namespace {

std::string Text(const Result& result) {
  std::string text = Name(result.flaw) + " after " + std::to_string(result.states) + " states";
  for (const std::string& step : result.trace) text += "\n  " + step;
  return text;
}

void ExpectSound(const Config& config) {
  const Result result = Explore(config);
  EXPECT_EQ(result.flaw, Flaw::kNone) << Text(result);
  EXPECT_GT(result.ends, 0u) << "no walk came to its end";
  ::testing::Test::RecordProperty("states", std::to_string(result.states));
}

// The mutation is caught, and so it is not the configuration that is at fault: without it the same walk is sound.
void ExpectCaught(Config config, uint32_t mutations, Flaw flaw, uint32_t sound_alone = 0) {
  config.mutations = mutations;
  const Result broken = Explore(config);
  EXPECT_EQ(broken.flaw, flaw) << Text(broken);
  config.mutations = sound_alone;
  const Result whole = Explore(config);
  EXPECT_EQ(whole.flaw, Flaw::kNone) << Text(whole);
}

// Sound.

TEST(ModelTest, TwoGuestsOneSlot) { ExpectSound({.guests = 2, .calls = {2, 2}}); }

TEST(ModelTest, TwoGuestsTwoSlotsAndADeath) { ExpectSound({.guests = 2, .slots = 2, .calls = {2, 1}, .deaths = 1}); }

TEST(ModelTest, ThreeGuestsOneSlotAndADeath) {
  ExpectSound({.guests = 3, .calls = {1, 1, 1}, .deaths = 1, .runs = false});
}

TEST(ModelTest, DeathAnywhereAndTheRecordTakenAgain) {
  ExpectSound({.guests = 2, .calls = {1, 1}, .deaths = 1, .respawn = true});
  ExpectSound({.guests = 2, .calls = {2, 1}, .deaths = 1, .respawn = true, .runs = false});
}

TEST(ModelTest, InterruptionAbandonmentAndDeath) {
  ExpectSound({.guests = 1, .calls = {2}, .signals = 2, .abandon = true});
  ExpectSound({.guests = 2, .calls = {1, 1}, .deaths = 1, .signals = 1, .abandon = true});
}

TEST(ModelTest, ServerDeathAnywhere) {
  ExpectSound({.guests = 2, .calls = {1, 1}, .server_deaths = 2});
  ExpectSound({.guests = 2, .calls = {1, 1}, .signals = 1, .abandon = true, .runs = false, .server_deaths = 1});
}

TEST(ModelTest, DeathsOfServerAndGuest) {
  ExpectSound({.guests = 2, .calls = {1, 1}, .deaths = 1, .server_deaths = 1});
}

// Caught: the doorbell.

TEST(ModelMutationTest, RungMustBeReadBeforeTheRescan) {
  ExpectCaught({.guests = 1, .calls = {1}}, kRungReadAfterRescan, Flaw::kStuck);
}

TEST(ModelMutationTest, PostMustComeBeforeTheWake) {
  ExpectCaught({.guests = 1, .calls = {1}}, kWakeBeforePost, Flaw::kStuck);
}

TEST(ModelMutationTest, SequenceMustComeBeforeThePost) {
  ExpectCaught({.guests = 1, .calls = {1}}, kPostBeforeSequence, Flaw::kStuck);
}

TEST(ModelMutationTest, WakeMustChangeRung) { ExpectCaught({.guests = 1, .calls = {1}}, kRungNotRaised, Flaw::kStuck); }

// A guest raises rung before it looks at parked, and the kernel compares rung after parked was stored: with that alone
// nothing is lost. The fence and the order of parked and rescan do the same a second time; they decide once a guest
// raises rung for a parked worker only, which is sound with them.
TEST(ModelMutationTest, FenceAndRungGuardTheSameWindow) {
  const Config config = {.guests = 1, .calls = {1}};
  ExpectCaught(config, kRungOnlyWhenParked | kNoParkFence, Flaw::kStuck, kRungOnlyWhenParked);
  ExpectCaught(config, kRungOnlyWhenParked | kParkAfterRescan, Flaw::kStuck, kRungOnlyWhenParked);
  for (const uint32_t one : {uint32_t{kNoParkFence}, uint32_t{kParkAfterRescan}, uint32_t{kRungOnlyWhenParked}}) {
    ExpectSound({.guests = 2, .calls = {2, 1}, .mutations = one});
  }
}

TEST(ModelMutationTest, AnswerMustWake) { ExpectCaught({.guests = 1, .calls = {1}}, kNoAnswerWake, Flaw::kStuck); }

TEST(ModelMutationTest, ToggledPostsLoseAnInterruption) {
  const Config config = {.guests = 1, .calls = {1}, .signals = 1};
  ExpectCaught(config, kToggledPosts, Flaw::kStuck);
  ExpectCaught(config, kToggledPosts | kTakenAsSeen, Flaw::kStuck, kTakenAsSeen);
}

TEST(ModelMutationTest, ToggledPostsMustBeTakenAsSeenWhenReclaiming) {
  ExpectCaught({.guests = 2, .calls = {1, 1}, .deaths = 1}, kToggledPosts, Flaw::kStuck, kToggledPosts | kTakenAsSeen);
}

// Caught: order of stores within a slot.

TEST(ModelMutationTest, LineMustComeBeforeTheSequence) {
  ExpectCaught({.guests = 1, .calls = {1}}, kSequenceBeforeLine, Flaw::kLineRewritten);
}

TEST(ModelMutationTest, ResultMustComeBeforeDone) {
  ExpectCaught({.guests = 1, .calls = {1}, .signals = 1}, kDoneBeforeResult, Flaw::kStaleResult);
}

TEST(ModelMutationTest, ReplyLineMustComeBeforeTheAnswer) {
  ExpectCaught({.guests = 1, .calls = {1}, .runs = false}, kAnswerBeforeValue, Flaw::kWrongAnswer);
}

// Caught: taking, freeing, reclaiming.

TEST(ModelMutationTest, ReclaimMustCloseWhatTheDeadLeft) {
  ExpectCaught({.guests = 2, .calls = {1, 1}, .deaths = 1}, kReclaimWithoutClosing, Flaw::kLineRewritten);
}

TEST(ModelMutationTest, ReclaimMustCloseFirst) {
  ExpectCaught({.guests = 2, .calls = {1, 1}, .deaths = 1}, kReclaimBeforeClosing, Flaw::kLineRewritten);
}

TEST(ModelMutationTest, FreeMustKeepTheGeneration) {
  ExpectCaught({.guests = 2, .calls = {2, 1}, .deaths = 1, .respawn = true, .runs = false}, kFreeForgetsGeneration,
               Flaw::kHeldTwice);
}

TEST(ModelMutationTest, TakeMustRaiseTheGeneration) {
  ExpectCaught({.guests = 2, .calls = {1, 1}, .deaths = 1, .respawn = true, .runs = false}, kTakeKeepsGeneration,
               Flaw::kHeldTwice);
}

TEST(ModelMutationTest, ReplyMustBeReadBeforeFreeing) {
  ExpectCaught({.guests = 2, .calls = {1, 1}, .runs = false}, kFreeBeforeReading, Flaw::kWrongAnswer);
}

TEST(ModelMutationTest, HolderMustBeReadAfterTheSequence) {
  ExpectCaught({.guests = 2, .calls = {1, 1}, .deaths = 1}, kHolderReadFirst, Flaw::kWrongHolder);
}

TEST(ModelMutationTest, StateMustNameItsHolding) {
  ExpectCaught({.guests = 2, .calls = {1, 1}, .signals = 1, .abandon = true}, kStateWithoutHolding, Flaw::kStuck);
}

// Caught: waiting for a slot.

TEST(ModelMutationTest, FreeMustFenceBeforeItLooksForWaiters) {
  ExpectCaught({.guests = 2, .calls = {1, 1}}, kNoFreeFence, Flaw::kStuck);
}

TEST(ModelMutationTest, WaiterMustWaitOnReclaimsToo) {
  ExpectCaught({.guests = 2, .calls = {1, 1}, .deaths = 1}, kWaitOnFullOnly, Flaw::kStuck);
}

TEST(ModelMutationTest, DeathMustRaiseReclaimsAlsoWhenNothingWasHeld) {
  ExpectCaught({.guests = 2, .calls = {1, 1}, .deaths = 1}, kDeathAloneRaisesNothing, Flaw::kStuck);
}

// Caught: a server that starts.

TEST(ModelMutationTest, SuccessorMustReadPostsBeforeItLooks) {
  ExpectCaught({.guests = 1, .calls = {1}, .server_deaths = 1}, kStartLooksBeforePosts, Flaw::kStuck);
}

TEST(ModelMutationTest, SuccessorMustWakeWhomItsPredecessorAnswered) {
  ExpectCaught({.guests = 1, .calls = {1}, .server_deaths = 1}, kStartWakesNobody, Flaw::kStuck);
}

}  // namespace
}  // namespace guise::wire::model
