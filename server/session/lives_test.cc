// What killed and lost guests held comes back.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "server/session/testing/child.h"
#include "server/session/testing/personalities.h"
#include "server/session/testing/served_test.h"

namespace guise::server {
namespace {

using testing::AwaitReclaims;
using testing::Child;
using testing::GuestMemory;
using testing::kAlpha;
using testing::kBeta;
using testing::Served;
using testing::ServedTest;
using testing::TestProcess;
using testing::TestThread;

class LivesTest : public ServedTest {};

TEST_P(LivesTest, AKilledGuestsSlotsAndRecordsComeBack) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  constexpr uint32_t kHeld = 5;
  Child child([&] {
    TestProcess process(memory);
    TestThread thread(memory, process);
    for (int i = 0; i < 7; ++i) thread.Call(SYS_geteuid);
    uint32_t slot = 0;
    thread.TryTake(&slot);  // 0: taken, never posted
    thread.TryTake(&slot);  // 1: posted, never rung
    thread.Write(slot, SYS_geteuid);
    thread.TryTake(&slot);  // 2: a Run not begun
    thread.Await(slot, wire::Key(thread.Post(slot, SYS_getegid), 1));
    thread.TryTake(&slot);  // 3: a Run begun, and done unrung
    const uint64_t key = wire::Key(thread.Post(slot, SYS_getegid), 1);
    thread.Await(slot, key);
    memory.Slot(slot).run.begun.Release(key);
    memory.Slot(slot).run.done.Release(key);
    thread.TryTake(&slot);  // 4: answered, never freed
    thread.Await(slot, wire::Key(thread.Post(slot, SYS_geteuid), 1));
  });
  child.AwaitReady();
  for (uint32_t slot = 0; slot < kHeld; ++slot) ASSERT_TRUE(memory.HoldsSlot(slot)) << slot;
  ASSERT_TRUE(memory.HoldsProcess(0));
  child.Kill();
  AwaitReclaims(memory, [&] { return !memory.HoldsProcess(0); });
  for (uint32_t slot = 0; slot < kHeld; ++slot) EXPECT_FALSE(memory.HoldsSlot(slot)) << slot;
  EXPECT_FALSE(memory.HoldsThread(0));

  // The next holders of the same slots get their own answers and no others.
  TestProcess process(memory);
  EXPECT_EQ(process.record(), 0u);
  TestThread thread(memory, process);
  EXPECT_EQ(thread.record(), 0u);
  thread.set_native([](uint32_t, const uint64_t(&)[6]) { return uint64_t{21}; });
  for (uint32_t slot = 0; slot < kHeld; ++slot) {
    uint32_t taken = 0;
    ASSERT_TRUE(thread.TryTake(&taken));
    ASSERT_EQ(taken, slot);
    EXPECT_EQ(thread.Converse(slot, SYS_getegid).value, 42u) << slot;
    EXPECT_EQ(thread.Converse(slot, SYS_geteuid).value, kAlpha) << slot;
  }
  // Seven of the dead guest, which were tallied, and ten of ours.
  const absl::StatusOr<SessionInfo> info = sessions().Get(kept.info.id);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->totals.calls[2][1], 17u);
  ASSERT_EQ(info->guests.size(), 1u);
  EXPECT_EQ(info->guests[0].pid, getpid());
}

TEST_P(LivesTest, ATakenSlotNobodyReadOverIsNotServedForItsDeadHolder) {
  // The dead guest's call would be seen when the slot's next holder rings for another slot.
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  Child child([&] {
    TestProcess process(memory);
    TestThread thread(memory, process);
    thread.Call(SYS_geteuid);
    uint32_t slot = 0;
    thread.TryTake(&slot);
    thread.Write(slot, SYS_getegid);
    memory.Group(0).header.posts.Add(1);  // killed between the post and the bell
  });
  child.AwaitReady();
  child.Kill();
  AwaitReclaims(memory, [&] { return !memory.HoldsSlot(0); });
  TestProcess process(memory);
  TestThread thread(memory, process);
  uint32_t slot = 0;
  ASSERT_TRUE(thread.TryTake(&slot));
  ASSERT_EQ(slot, 0u);
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);
  // No real step was answered to the dead holder's sequence.
  EXPECT_TRUE(wire::TurnOf(memory.Slot(0).call.sequence.Acquire(), 0, memory.Line(0).answer.Acquire()) ==
              wire::Turn::kNothing);
  EXPECT_EQ(thread.Converse(slot, SYS_geteuid).value, kAlpha);
}

TEST_P(LivesTest, AGuestThatNeverRangIsFoundByLooking) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  Child child([&] {
    TestProcess process(memory);
    TestThread thread(memory, process);
    uint32_t slot = 0;
    thread.TryTake(&slot);
  });
  child.AwaitReady();
  const absl::StatusOr<SessionInfo> info = sessions().Get(kept.info.id);  // looks at all records
  ASSERT_TRUE(info.ok());
  ASSERT_EQ(info->guests.size(), 1u);
  EXPECT_EQ(info->guests[0].pid, child.pid());
  child.Kill();
  AwaitReclaims(memory, [&] { return !memory.HoldsProcess(0); });
  EXPECT_FALSE(memory.HoldsSlot(0));

  // And one that is dead before anybody has looked.
  Child quick([&] {
    TestProcess process(memory);
    TestThread thread(memory, process);
    uint32_t slot = 0;
    thread.TryTake(&slot);
  });
  quick.AwaitReady();
  quick.Kill();
  ASSERT_TRUE(memory.HoldsSlot(0));
  ASSERT_TRUE(sessions().Get(kept.info.id).ok());
  ASSERT_TRUE(sessions().Get(kept.info.id).ok());  // dead at two looks
  AwaitReclaims(memory, [&] { return !memory.HoldsProcess(0); });
  EXPECT_FALSE(memory.HoldsSlot(0));
}

TEST_P(LivesTest, ARecordOfWhichOnlyTheOwnerIsWrittenIsItsTakersWhileItLives) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  // As a guest that is stopped right after it has taken the record.
  Child child([&] {
    TestProcess process(memory);
    memory.Process(0).taken_at.Release(1);
  });
  child.AwaitReady();
  for (int look = 0; look < 3; ++look) ASSERT_TRUE(sessions().Get(kept.info.id).ok());
  EXPECT_TRUE(memory.HoldsProcess(0));
  child.Kill();
  for (int look = 0; look < 2; ++look) ASSERT_TRUE(sessions().Get(kept.info.id).ok());
  AwaitReclaims(memory, [&] { return !memory.HoldsProcess(0); });
}

TEST_P(LivesTest, WhatAProcessLeavesBehindComesBackThoughItGaveItsRecordBack) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  Child child([&] {
    TestProcess process(memory);
    TestThread other(memory, process);  // a sibling that exit_group(2) kills in a call
    TestThread thread(memory, process);
    thread.Call(SYS_geteuid);
    uint32_t slot = 0;
    other.TryTake(&slot);
    thread.GiveBack();
    process.GiveBack();
  });
  child.AwaitReady();
  // Another process takes the record meanwhile, and lives.
  TestProcess process(memory);
  ASSERT_EQ(process.record(), 0u);
  TestThread thread(memory, process);
  const uint32_t own = thread.Take();
  child.Kill();
  AwaitReclaims(memory, [&] { return !memory.HoldsSlot(0); });
  EXPECT_FALSE(memory.HoldsThread(0));
  EXPECT_TRUE(memory.HoldsProcess(0));
  EXPECT_TRUE(memory.HoldsThread(thread.record()));
  EXPECT_TRUE(memory.HoldsSlot(own));
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);
}

TEST_P(LivesTest, ThreadsThatAnExecHasKilledComeBackAndLetDrain) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  TestProcess process(memory);
  TestThread thread(memory, process);
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);
  uint32_t lost = 0;
  uint32_t slot = 0;
  std::thread([&] {  // dies without giving anything back
    TestThread sibling(memory, process);
    lost = sibling.record();
    slot = sibling.Take();
    memory.Thread(lost).in_gate.Release(1);
  })
      .join();
  const absl::StatusOr<uint32_t> epoch =
      sessions().PublishStack(kept.info.id, {"beta"}, absl::Now() + absl::Minutes(1));
  EXPECT_TRUE(epoch.ok()) << epoch.status();
  EXPECT_FALSE(memory.HoldsThread(lost));
  EXPECT_FALSE(memory.HoldsSlot(slot));
  EXPECT_TRUE(memory.HoldsThread(thread.record()));
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kBeta);
}

TEST_P(LivesTest, ARecordThatNamesAYoungerProcessIsNotBelieved) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  TestProcess process(memory);
  TestThread thread(memory, process);
  memory.Process(process.record()).taken_at.StoreRelaxed(1);  // before this process began
  EXPECT_EQ(thread.Call(SYS_geteuid).value, kAlpha);          // served all the same
  const absl::StatusOr<SessionInfo> info = sessions().Get(kept.info.id);
  ASSERT_TRUE(info.ok());
  EXPECT_TRUE(info->guests.empty());
}

TEST_P(LivesTest, AnAbandonedSlotComesBack) {
  Served::Kept kept = served_.Keep({"alpha"});
  const GuestMemory& memory = *kept.memory;
  TestProcess process(memory);
  TestThread thread(memory, process);
  const uint32_t slot = thread.Take();
  thread.Await(slot, wire::Key(thread.Post(slot, SYS_getegid), 1));
  wire::RunLine& run = memory.Slot(slot).run;
  run.state.Release(wire::StateWord(run.owner.Relaxed(), wire::SlotState::kAbandoned));
  thread.Ring(slot);
  AwaitReclaims(memory, [&] { return !memory.HoldsSlot(slot); });
  const uint32_t again = thread.Take();
  EXPECT_EQ(again, slot);
  EXPECT_EQ(thread.Converse(again, SYS_geteuid).value, kAlpha);
}

INSTANTIATE_BOTH_WAYS(LivesTest);

}  // namespace
}  // namespace guise::server
