#include "server/channel/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "proto/wire/doorbell.h"
#include "proto/wire/layout.h"
#include "server/channel/futex.h"

namespace guise::server {
namespace {

// Counts posts as a session does, in one word a bell.
class Posts : public Sweepable {
 public:
  const wire::Cell<uint32_t>& Rung(uint32_t bell) override { return bells_[bell].rung; }
  wire::Cell<uint32_t>& Parked(uint32_t bell) override { return parked_[bell]; }
  bool Sweep() override {
    ++sweeps_;
    const uint64_t posted = posted_.load();
    uint64_t seen = seen_.load();
    while (seen < posted && !seen_.compare_exchange_weak(seen, posted)) {
    }
    const bool found = seen < posted;
    if (found && endless_.load()) ++posted_;
    if (seen_.load() >= wanted_.load() && !done_.exchange(true)) reached_.Notify();
    return found;
  }

  void Post(uint32_t bell) {
    ++posted_;
    Ring(bell);
  }
  void Ring(uint32_t bell) {
    bells_[bell].rung.Add(1);
    if (parked_[bell].Acquire() != 0) FutexWakeAll(bells_[bell].rung.Address());
  }
  void set_wanted(uint64_t wanted) { wanted_ = wanted; }
  void set_endless(bool endless) { endless_ = endless; }
  void Await() { reached_.WaitForNotification(); }
  uint64_t sweeps() const { return sweeps_.load(); }
  uint64_t seen() const { return seen_.load(); }

 private:
  wire::Bell bells_[wire::kBells] = {};
  wire::Cell<uint32_t> parked_[wire::kBells] = {};
  std::atomic<uint64_t> posted_ = 0;
  std::atomic<uint64_t> seen_ = 0;
  std::atomic<uint64_t> wanted_ = ~uint64_t{0};
  std::atomic<uint64_t> sweeps_ = 0;
  std::atomic<bool> endless_ = false;
  std::atomic<bool> done_ = false;
  absl::Notification reached_;
};

class WorkersTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<Workers>> workers = Workers::Start({.allow_io_uring = GetParam()});
    ASSERT_TRUE(workers.ok()) << workers.status();
    workers_ = *std::move(workers);
    if (GetParam() && workers_->Waiting() != "io_uring futex") GTEST_SKIP() << "this kernel has no io_uring futexes";
  }
  std::unique_ptr<Workers> workers_;
};

TEST_P(WorkersTest, LosesNoPost) {
  constexpr int kPosters = 3;
  constexpr uint64_t kPosts = 20000;
  auto posts = std::make_shared<Posts>();
  posts->set_wanted(kPosters * kPosts);
  workers_->Add(posts);
  std::vector<std::thread> posters;
  for (uint32_t p = 0; p < kPosters; ++p) {
    posters.emplace_back([&, p] {
      const uint32_t bell = p % workers_->BellsInUse();
      for (uint64_t i = 0; i < kPosts; ++i) {
        posts->Post(bell);
        if (i % 64 == 0) std::this_thread::yield();
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  posts->Await();  // a lost wake-up would hang here
  EXPECT_EQ(posts->seen(), kPosters * kPosts);
}

TEST_P(WorkersTest, EveryBellWakesSomebody) {
  for (uint32_t bell = 0; bell < workers_->BellsInUse(); ++bell) {
    auto posts = std::make_shared<Posts>();
    posts->set_wanted(1);
    workers_->Add(posts);
    posts->Post(bell);
    posts->Await();
    workers_->Remove(*posts);
  }
}

TEST_P(WorkersTest, ServesWhatIsAddedAtTheVeryStart) {
  for (int i = 0; i < 300; ++i) {
    absl::StatusOr<std::unique_ptr<Workers>> workers = Workers::Start({.allow_io_uring = GetParam()});
    ASSERT_TRUE(workers.ok());
    auto posts = std::make_shared<Posts>();
    posts->set_wanted(1);
    (*workers)->Add(posts);
    posts->Post(0);
    posts->Await();
  }
}

TEST_P(WorkersTest, SleepsWhenNobodyPosts) {
  auto posts = std::make_shared<Posts>();
  posts->set_wanted(1);
  workers_->Add(posts);
  posts->Post(0);
  posts->Await();
  // Another session's traffic does not make this one be swept, once its workers have settled.
  auto other = std::make_shared<Posts>();
  workers_->Add(other);
  const auto pingpong = [&](uint64_t times) {
    for (uint64_t i = 0; i < times; ++i) {
      const uint64_t before = other->seen();
      other->Post(0);
      while (other->seen() == before) std::this_thread::yield();
    }
  };
  pingpong(50);
  const uint64_t before = posts->sweeps();
  pingpong(500);
  EXPECT_LE(posts->sweeps() - before, 4u);
}

TEST_P(WorkersTest, OneThatHasWorkWithoutEndDelaysNobodyElse) {
  auto endless = std::make_shared<Posts>();
  endless->set_endless(true);
  workers_->Add(endless);
  for (uint32_t bell = 0; bell < workers_->BellsInUse(); ++bell) endless->Post(bell);
  for (int i = 0; i < 20; ++i) {
    auto posts = std::make_shared<Posts>();
    posts->set_wanted(100);
    workers_->Add(posts);
    for (int p = 0; p < 100; ++p) posts->Post(0);
    posts->Await();
    workers_->Remove(*posts);
  }
  EXPECT_GT(endless->sweeps(), 0u);
}

TEST_P(WorkersTest, LetsGoOfWhatIsRemoved) {
  std::weak_ptr<Posts> weak;
  {
    auto posts = std::make_shared<Posts>();
    weak = posts;
    posts->set_wanted(1);
    workers_->Add(posts);
    posts->Post(0);
    posts->Await();
    workers_->Remove(*posts);
  }
  while (!weak.expired()) std::this_thread::yield();
}

TEST_P(WorkersTest, MayBeDestroyedWithThingsAdded) {
  std::vector<std::shared_ptr<Posts>> many;
  for (int i = 0; i < 40; ++i) {
    many.push_back(std::make_shared<Posts>());
    workers_->Add(many.back());
    many.back()->Post(0);
  }
  workers_.reset();
  for (const auto& posts : many) EXPECT_EQ(posts.use_count(), 1);
}

INSTANTIATE_TEST_SUITE_P(Ways, WorkersTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "IoUring" : "Futex"; });

}  // namespace
}  // namespace guise::server
