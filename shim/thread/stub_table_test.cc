#include "shim/thread/stub_table.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "shim/arch/x86_64/gates.h"
#include "shim/arch/x86_64/offsets.h"

namespace guise::shim {
namespace {

// Sites of this test are addresses only; nothing jumps to them. Stubs are never given back, so the tests share the
// table and take sites of their own.
constexpr uint64_t kFirstSite = 0x7f0000001000;

TEST(StubTableTest, ASiteKeepsItsStub) {
  const uint64_t stub = StubFor(kFirstSite);
  EXPECT_NE(stub, 0);
  EXPECT_EQ(StubFor(kFirstSite), stub);
  EXPECT_NE(StubFor(kFirstSite + 1), stub);
}

TEST(StubTableTest, AStubKnowsItsSiteBeforeAndAfterTheCall) {
  const uint64_t stub = StubFor(kFirstSite + 16);
  bool called = true;
  EXPECT_EQ(StubReturn(stub, &called), kFirstSite + 16);
  EXPECT_FALSE(called);
  EXPECT_EQ(StubReturn(stub + 2, &called), kFirstSite + 16);
  EXPECT_TRUE(called);
  EXPECT_EQ(StubReturn(Label(guise_stubs_end), &called), 0);
  EXPECT_EQ(StubReturn(Label(guise_stubs) - 1, &called), 0);
}

TEST(StubTableTest, ThreadsThatRaceForASiteGetStubsThatReturnToIt) {
  constexpr int kThreads = 4;
  constexpr uint64_t kSites = 1000;
  std::vector<std::vector<uint64_t>> stubs(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&stubs, t] {
      for (uint64_t i = 0; i < kSites; ++i) stubs[t].push_back(StubFor(kFirstSite + 4096 + i * 23));
    });
  }
  for (std::thread& thread : threads) thread.join();
  bool called;
  for (const auto& mine : stubs) {
    for (uint64_t i = 0; i < kSites; ++i) EXPECT_EQ(StubReturn(mine[i], &called), kFirstSite + 4096 + i * 23);
  }
}

TEST(StubTableTest, AFullTableSaysSoAndKeepsWhatItHas) {
  const uint64_t first = StubFor(kFirstSite);
  std::set<uint64_t> distinct;
  bool full = false;
  for (uint64_t i = 0; i < uint64_t{4} * GUISE_STUBS && !full; ++i) {
    const uint64_t stub = StubFor(kFirstSite + 0x10000000 + i * 7);
    full = stub == 0;
    if (!full) {
      EXPECT_TRUE(distinct.insert(stub).second);
    }
  }
  EXPECT_TRUE(full);
  EXPECT_EQ(StubFor(kFirstSite), first);
}

}  // namespace
}  // namespace guise::shim
