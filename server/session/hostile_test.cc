// A hostile session harms nobody else.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "server/channel/futex.h"
#include "server/session/testing/personalities.h"
#include "server/session/testing/served_test.h"

namespace guise::server {
namespace {

using testing::GuestMemory;
using testing::kBeta;
using testing::Served;
using testing::ServedTest;
using testing::TestProcess;
using testing::TestThread;

class HostileTest : public ServedTest {};

// What a hostile guest can reach, all at once; the sequence comes from the seed.
class Vandal {
 public:
  Vandal(const GuestMemory& memory, uint64_t seed) : memory_(memory), random_(seed) {}

  void Strike() {
    switch (random_() % 8) {
      case 0:  // anything, anywhere in the groups
        Word(random_() % (wire::kGroups * wire::kPageSize / 8)).StoreRelaxed(random_());
        break;
      case 1:  // a call that looks held, with anything in it
      case 2: {
        const uint32_t slot = Slot();
        wire::RequestSlot& line = memory_.Slot(slot);
        line.run.owner.Release(wire::Owner(static_cast<uint32_t>(random_()), static_cast<uint32_t>(random_() % 20)));
        line.run.thread.StoreRelaxed(static_cast<uint32_t>(random_() % 20));
        line.call.nr.StoreRelaxed(static_cast<uint32_t>(random_() % 450));
        line.call.epoch.StoreRelaxed(static_cast<uint32_t>(random_() % 3));
        for (auto& arg : line.call.args) arg.StoreRelaxed(random_() >> (random_() % 64));
        for (auto& copy : line.run.copies) copy.StoreRelaxed(static_cast<uint16_t>(random_() >> (48 + random_() % 16)));
        memset(memory_.Inbound(slot), static_cast<int>(random_() % 3), wire::kPayloadSize);
        line.call.sequence.Release(random_() % 5 == 0 ? random_() : line.call.sequence.Relaxed() + 1);
        Post(slot);
        break;
      }
      case 3: {  // a step's result
        const uint32_t slot = Slot();
        const uint64_t answer = memory_.Line(slot).answer.Acquire();
        memory_.Slot(slot).run.done.Release(random_() % 4 == 0 ? random_() : answer);
        Post(slot);
        break;
      }
      case 4: {  // states
        wire::RunLine& run = memory_.Slot(Slot()).run;
        run.state.Release(wire::StateWord(run.owner.Relaxed(), static_cast<wire::SlotState>(random_() % 4)));
        break;
      }
      case 5: {  // records
        const uint32_t index = static_cast<uint32_t>(random_() % 20);
        memory_.Process(index).owner.Release(
            wire::Owner(static_cast<uint32_t>(random_()), static_cast<uint32_t>(random_() >> (random_() % 64))));
        memory_.Process(index).taken_at.StoreRelaxed(random_());
        memory_.Process(index).parent.StoreRelaxed(static_cast<uint32_t>(random_() % 25));
        memory_.Thread(index).owner.Release(
            wire::Owner(static_cast<uint32_t>(random_()), static_cast<uint32_t>(random_() % 25)));
        memory_.Thread(index).in_gate.StoreRelaxed(static_cast<uint32_t>(random_() % 5));
        break;
      }
      case 6:
        memory_.Group(0).root.header.groups_used.Release(static_cast<uint32_t>(random_() >> (random_() % 64)));
        break;
      case 7:
        memory_.Group(static_cast<uint32_t>(random_() % wire::kGroups)).header.posts.Release(random_());
        Ring();
        break;
    }
  }

 private:
  uint32_t Slot() { return static_cast<uint32_t>(random_() % 4 == 0 ? random_() % wire::kSlots : random_() % 16); }
  wire::Cell<uint64_t>& Word(uint64_t index) {
    return reinterpret_cast<wire::Cell<uint64_t>*>(memory_.request())[index];
  }
  void Post(uint32_t slot) {
    memory_.Group(slot / wire::kSlotsPerGroup).header.posts.Add(uint64_t{1} << (8 * (slot % wire::kSlotsPerGroup)));
    Ring();
  }
  void Ring() {
    for (wire::Bell& bell : memory_.Group(0).root.bells) {
      bell.rung.Add(1);
      FutexWakeAll(bell.rung.Address());
    }
  }

  const GuestMemory& memory_;
  std::mt19937_64 random_;
};
TEST_P(HostileTest, AHostileSessionHarmsNobodyElse) {
  constexpr int kStrikes = 30000;
  Served::Kept hostile = served_.Keep({"alpha"});
  Served::Kept sound = served_.Keep({"beta", "alpha"});
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::atomic<bool> stop = false;
  std::thread vandal([&] {
    Vandal v(*hostile.memory, seed);
    for (int i = 0; i < kStrikes; ++i) v.Strike();
    stop = true;
  });
  TestProcess process(*sound.memory);
  TestThread thread(*sound.memory, process);
  thread.set_native([](uint32_t, const uint64_t(&)[6]) { return uint64_t{4}; });
  uint64_t calls = 0;
  do {
    ASSERT_EQ(thread.Call(SYS_geteuid).value, kBeta);
    ASSERT_EQ(thread.Call(SYS_getegid).value, 8u);
    ASSERT_EQ(thread.Call(SYS_chdir, {"/a/path"}).value, 7u);
    calls += 3;
    if (calls % 300 == 0) {
      ASSERT_TRUE(sessions().Get(hostile.info.id).ok());
      ASSERT_TRUE(sessions().PublishStack(hostile.info.id, {"alpha"}).ok());
    }
  } while (!stop.load());
  vandal.join();
  EXPECT_EQ(sessions().Get(sound.info.id)->totals.calls[2][1], calls);
}

TEST_P(HostileTest, ASessionThatScribblesOnItsDoorbellsDelaysNobodyElse) {
  Served::Kept loud = served_.Keep({"alpha"});
  Served::Kept sound = served_.Keep({"beta"});
  std::atomic<bool> stop = false;
  std::vector<std::thread> scribblers;
  for (int i = 0; i < 2; ++i) {
    scribblers.emplace_back([&] {
      // A call that stays posted and is answered anew each time, and all bells without an end.
      const GuestMemory& memory = *loud.memory;
      TestProcess process(memory);
      TestThread thread(memory, process);
      const uint32_t slot = thread.Take();
      while (!stop.load()) {
        thread.Post(slot, SYS_geteuid);
        for (wire::Bell& bell : memory.Group(0).root.bells) bell.rung.Add(1);
        memory.Group(0).header.posts.Add(0x0101010101010101);
      }
    });
  }
  TestProcess process(*sound.memory);
  TestThread thread(*sound.memory, process);
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(thread.Call(SYS_geteuid).value, kBeta);
  stop = true;
  for (std::thread& scribbler : scribblers) scribbler.join();
}

INSTANTIATE_BOTH_WAYS(HostileTest);

}  // namespace
}  // namespace guise::server
