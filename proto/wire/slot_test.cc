#include "proto/wire/slot.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "proto/wire/doorbell.h"

namespace guise::wire {
namespace {

TEST(KeyTest, HoldsSequenceAndStepToTheirExtremes) {
  for (const uint64_t sequence : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 20, kMaxSequence}) {
    for (const uint32_t step : {0u, 1u, kMaxStep - 1, kMaxStep}) {
      const uint64_t key = Key(sequence, step);
      EXPECT_EQ(SequenceOf(key), sequence);
      EXPECT_EQ(StepOf(key), step);
    }
  }
  EXPECT_EQ(Key(kMaxSequence, kMaxStep), UINT64_MAX);
}

TEST(KeyTest, OrdersBySequenceThenStep) {
  EXPECT_LT(Key(1, kMaxStep), Key(2, 0));
  EXPECT_LT(Key(7, 1), Key(7, 2));
}

TEST(KeyTest, ClosedKeyIsTheLastOfItsSequence) {
  EXPECT_EQ(SequenceOf(ClosedKey(9)), 9u);
  EXPECT_GT(ClosedKey(9), Key(9, kMaxStep - 1));
  EXPECT_LT(ClosedKey(9), Key(10, 0));
}

TEST(TurnTest, FreshSlotHasNone) { EXPECT_EQ(TurnOf(0, 0, 0), Turn::kNothing); }

TEST(TurnTest, NewSequenceIsACall) {
  EXPECT_EQ(TurnOf(1, 0, 0), Turn::kCall);
  EXPECT_EQ(TurnOf(6, Key(5, 1), Key(5, 2)), Turn::kCall);
}

TEST(TurnTest, AnsweredCallIsTheGuests) { EXPECT_EQ(TurnOf(5, 0, Key(5, 1)), Turn::kNothing); }

TEST(TurnTest, DoneStepIsTheServers) {
  EXPECT_EQ(TurnOf(5, Key(5, 1), Key(5, 1)), Turn::kStep);
  EXPECT_EQ(TurnOf(5, Key(5, 3), Key(5, 3)), Turn::kStep);
}

TEST(TurnTest, OldResultIsNoTurn) {
  EXPECT_EQ(TurnOf(5, Key(5, 1), Key(5, 2)), Turn::kNothing);
  EXPECT_EQ(TurnOf(5, Key(4, 1), Key(5, 1)), Turn::kNothing);
}

TEST(TurnTest, ClosedSlotIsAtRestWhateverItsHolderLeft) {
  EXPECT_EQ(TurnOf(5, 0, ClosedKey(5)), Turn::kNothing);
  EXPECT_EQ(TurnOf(5, Key(5, 1), ClosedKey(5)), Turn::kNothing);
  EXPECT_EQ(TurnOf(6, Key(5, 1), ClosedKey(5)), Turn::kCall) << "and takes its next call";
}

TEST(TurnTest, SequenceThatNoKeyHoldsIsNoCall) {
  EXPECT_EQ(TurnOf(kMaxSequence, 0, Key(kMaxSequence - 1, 1)), Turn::kCall);
  EXPECT_EQ(TurnOf(kMaxSequence + 1, 0, 0), Turn::kNothing);
  EXPECT_EQ(TurnOf(UINT64_MAX, 0, 0), Turn::kNothing);
}

TEST(OwnerTest, HoldsGenerationAndHolder) {
  for (const uint32_t generation : {0u, 1u, UINT32_MAX}) {
    for (const uint32_t holder : {0u, 1u, kThreads - 1, kSlots - 1}) {
      const uint64_t owner = Owner(generation, holder);
      EXPECT_EQ(GenerationOf(owner), generation);
      EXPECT_EQ(HolderOf(owner), holder);
      EXPECT_TRUE(IsHeld(owner, 0));
    }
  }
}

TEST(OwnerTest, FreshAndFreedAndReclaimedAreFree) {
  EXPECT_FALSE(IsHeld(0, 0));
  const uint64_t owner = NextOwner(0, 3);
  EXPECT_TRUE(IsHeld(owner, 0));
  EXPECT_FALSE(IsHeld(FreeOf(owner), 0));
  EXPECT_FALSE(IsHeld(owner, owner));
}

TEST(OwnerTest, NoWordComesTwiceSoThatReclaimedFreesOneHoldingOnly) {
  const uint64_t first = NextOwner(0, 3);
  const uint64_t reclaimed = first;
  const uint64_t second = NextOwner(first, 3);
  EXPECT_TRUE(IsHeld(second, reclaimed));
  const uint64_t third = NextOwner(FreeOf(second), 3);
  EXPECT_TRUE(IsHeld(third, reclaimed));
  EXPECT_NE(third, second);
}

TEST(StateTest, SaysNothingOfAnotherHolding) {
  const uint64_t first = NextOwner(0, 3);
  const uint64_t second = NextOwner(FreeOf(first), 4);
  const uint32_t word = StateWord(first, SlotState::kAbandoned);
  EXPECT_EQ(StateOf(word, first), SlotState::kAbandoned);
  EXPECT_EQ(StateOf(word, second), SlotState::kTaken);
  EXPECT_EQ(StateOf(0, first), SlotState::kTaken) << "a slot that never had a state";
}

TEST(StateTest, HoldsEveryStateOfEveryGeneration) {
  for (const uint32_t generation : {0u, 1u, (1u << 30) - 1, 1u << 30, UINT32_MAX}) {
    for (const SlotState state :
         {SlotState::kTaken, SlotState::kPosted, SlotState::kInterrupted, SlotState::kAbandoned}) {
      EXPECT_EQ(StateOf(StateWord(Owner(generation, 0), state), Owner(generation, 5)), state);
    }
  }
}

TEST(CopyOutTest, HoldsItsFieldsToTheirExtremes) {
  for (const uint32_t arg : {0u, 1u, 5u, 7u}) {
    for (const uint32_t offset : {0u, 1u, static_cast<uint32_t>(kPayloadSize), 0xffffffu}) {
      for (const uint32_t length : {0u, 1u, 0x80000000u, UINT32_MAX}) {
        const uint64_t word = CopyOut(arg, offset, length);
        EXPECT_TRUE(IsCopyOut(word));
        EXPECT_EQ(CopyOutArg(word), arg);
        EXPECT_EQ(CopyOutOffset(word), offset);
        EXPECT_EQ(CopyOutLength(word), length);
      }
    }
  }
}

TEST(CopyOutTest, PutsEachFieldWhereTheFormatSays) {
  EXPECT_EQ(CopyOut(0, 0, 0), uint64_t{1} << 63);
  EXPECT_EQ(CopyOut(3, 0, 0), uint64_t{1} << 63 | uint64_t{3} << 56);
  EXPECT_EQ(CopyOut(0, 0xffffff, 0), uint64_t{1} << 63 | uint64_t{0xffffff} << 32);
  EXPECT_EQ(CopyOut(0, 0, UINT32_MAX), uint64_t{1} << 63 | UINT32_MAX);
  EXPECT_EQ(CopyOut(7, 0xffffff, UINT32_MAX), 0x87ffffffffffffffu);
}

TEST(CopyOutTest, FieldsTooLargeDoNotSpill) {
  EXPECT_EQ(CopyOut(8, 0, 0), CopyOut(0, 0, 0));
  EXPECT_EQ(CopyOut(0, 0x1000000, 0), CopyOut(0, 0, 0));
}

TEST(CopyOutTest, MayFailIsABitOfItsOwn) {
  EXPECT_EQ(CopyOut(7, 0xffffff, UINT32_MAX) & kCopyOutMayFail, 0u);
  const uint64_t word = CopyOut(7, 0xffffff, UINT32_MAX) | kCopyOutMayFail;
  EXPECT_TRUE(IsCopyOut(word));
  EXPECT_EQ(CopyOutArg(word), 7u);
}

TEST(CopyOutTest, ZeroIsNone) { EXPECT_FALSE(IsCopyOut(0)); }

TEST(PackedNrTest, HoldsNumberAndAFlagForEachArgument) {
  uint32_t flags = 0;
  for (uint32_t arg = 0; arg < 6; ++arg) flags |= (arg % 3) << (2 * arg);
  const uint32_t packed = PackNr(0xffff, flags);
  EXPECT_EQ(NrOf(packed), 0xffffu);
  for (uint32_t arg = 0; arg < 6; ++arg) EXPECT_EQ(FlagOf(packed, arg), static_cast<ArgFlag>(arg % 3)) << arg;
}

TEST(PackedNrTest, NumberDoesNotSpillIntoFlags) { EXPECT_EQ(PackNr(0x10000, 0), 0u); }

TEST(DoorbellTest, RingPostsItsSlotOnlyAndTellsOfAParkedWorker) {
  Bell bell = {};
  Cell<uint32_t> parked = {};
  Cell<uint64_t> posts = {};
  for (uint32_t slot = 0; slot < kSlotsPerGroup; ++slot) {
    const uint64_t before = posts.Acquire();
    EXPECT_FALSE(Ring(bell, parked, posts, slot));
    EXPECT_EQ(PostedSince(posts.Acquire(), before), 1u << slot);
  }
  EXPECT_EQ(bell.rung.Acquire(), kSlotsPerGroup);
  parked.Release(1);
  EXPECT_TRUE(Ring(bell, parked, posts, 0));
}

TEST(DoorbellTest, SecondPostUnseenStillShows) {
  Bell bell = {};
  const Cell<uint32_t> parked = {};
  Cell<uint64_t> posts = {};
  for (int i = 0; i < 255; ++i) {
    Ring(bell, parked, posts, 2);
    EXPECT_EQ(PostedSince(posts.Acquire(), 0), 1u << 2) << i;
  }
}

TEST(DoorbellTest, CarryShowsTheNeighbourForNothingAndHidesNobody) {
  Bell bell = {};
  const Cell<uint32_t> parked = {};
  Cell<uint64_t> posts = {};
  for (int i = 0; i < 255; ++i) Ring(bell, parked, posts, 2);
  uint64_t seen = posts.Acquire();
  Ring(bell, parked, posts, 2);
  EXPECT_EQ(PostedSince(posts.Acquire(), seen), 1u << 2 | 1u << 3);
  seen = posts.Acquire();
  Ring(bell, parked, posts, 3);
  EXPECT_EQ(PostedSince(posts.Acquire(), seen), 1u << 3);
  // The last slot's carry leaves the word.
  for (int i = 0; i < 256; ++i) Ring(bell, parked, posts, 7);
  EXPECT_EQ(PostedSince(posts.Acquire(), seen), 1u << 3);
}

}  // namespace
}  // namespace guise::wire
