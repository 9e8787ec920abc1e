#include "server/channel/uring_workers.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "proto/wire/layout.h"
#include "server/channel/futex.h"
#include "server/channel/futex_ring.h"

namespace guise::server {
namespace {

std::vector<int> UsableCpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) cpus.push_back(0);
  if (cpus.size() > wire::kBells) cpus.resize(wire::kBells);
  return cpus;
}

// One CPU's thread.
class Worker {
 public:
  Worker(int cpu, std::vector<uint32_t> bells) : cpu_(cpu), bells_(std::move(bells)), thread_([this] { Run(); }) {}
  ~Worker() {
    stop_.store(true);
    Call();
    thread_.join();
  }

  absl::Status WaitUntilOpen() {
    opened_.WaitForNotification();
    return open_status_;
  }

  void Add(std::shared_ptr<Sweepable> what) { Order({.what = what.get(), .added = std::move(what)}); }
  void Remove(const Sweepable& what) { Order({.what = &what, .added = nullptr}); }

 private:
  // A session and one of its bells.
  struct Bell {
    std::shared_ptr<Sweepable> what;
    uint32_t number = 0;
    bool waiting = false;  // in the ring; else queued
    bool leaving = false;
  };
  struct Change {
    const Sweepable* what;
    std::shared_ptr<Sweepable> added;  // null: removed
  };
  static constexpr uint64_t kCallToken = 1;

  void Order(Change change) {
    {
      absl::MutexLock lock(&mutex_);
      changes_.push_back(std::move(change));
    }
    Call();
  }
  void Call() {
    called_.Add(1);
    FutexWakeAll(called_.Address());
  }

  void Run();
  void AwaitCall();
  void TakeChanges();
  void Report(uint64_t token);
  void Visit(uint64_t token);

  const int cpu_;
  const std::vector<uint32_t> bells_;
  std::atomic<bool> stop_ = false;
  absl::Notification opened_;
  absl::Status open_status_;
  wire::Cell<uint32_t> called_ = {};

  absl::Mutex mutex_;
  std::vector<Change> changes_ ABSL_GUARDED_BY(mutex_);

  // The thread's own.
  FutexRing ring_;
  uint64_t next_token_ = kCallToken + 1;
  std::unordered_map<uint64_t, Bell> bells_by_token_;
  std::deque<uint64_t> queue_;

  std::thread thread_;  // last: it uses the others
};

void Worker::Run() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu_, &set);
  // May fail in a cpuset that has changed: it then runs anywhere, more slowly.
  sched_setaffinity(0, sizeof(set), &set);
  open_status_ = ring_.Open();
  const bool open = open_status_.ok();
  opened_.Notify();
  if (!open) return;

  std::vector<uint64_t> reported;
  AwaitCall();
  while (!stop_.load()) {
    reported.clear();
    ring_.Collect(queue_.empty(), reported);
    for (const uint64_t token : reported) {
      if (token == kCallToken) {
        AwaitCall();
      } else {
        Report(token);
      }
    }
    // Those that queue up again meanwhile come after those that have rung meanwhile.
    for (size_t n = queue_.size(); n > 0 && !stop_.load(); --n) {
      const uint64_t token = queue_.front();
      queue_.pop_front();
      Visit(token);
    }
  }
}

// In this order: a change that comes after it was looked for changes the word too, also before the first wait.
void Worker::AwaitCall() {
  const uint32_t called = called_.Acquire();
  TakeChanges();
  ring_.Wait(called_.Address(), called, kCallToken);
}

void Worker::TakeChanges() {
  std::vector<Change> changes;
  {
    absl::MutexLock lock(&mutex_);
    changes.swap(changes_);
  }
  for (Change& change : changes) {
    if (change.added != nullptr) {
      for (const uint32_t number : bells_) {
        const uint64_t token = next_token_++;
        bells_by_token_[token] = {.what = change.added, .number = number};
        queue_.push_back(token);
      }
      continue;
    }
    for (auto& [token, bell] : bells_by_token_) {
      if (bell.what.get() != change.what || bell.leaving) continue;
      bell.leaving = true;
      if (bell.waiting) ring_.Cancel(token);
    }
  }
}

void Worker::Report(uint64_t token) {
  const auto it = bells_by_token_.find(token);
  if (it == bells_by_token_.end()) return;
  it->second.waiting = false;
  it->second.what->Parked(it->second.number).StoreRelaxed(0);
  queue_.push_back(token);
}

void Worker::Visit(uint64_t token) {
  const auto it = bells_by_token_.find(token);
  Bell& bell = it->second;
  if (bell.leaving) {
    bells_by_token_.erase(it);
    return;
  }
  const wire::Cell<uint32_t>& rung = bell.what->Rung(bell.number);
  wire::Cell<uint32_t>& parked = bell.what->Parked(bell.number);
  const uint32_t value = rung.Acquire();
  parked.StoreRelaxed(1);
  wire::FullFence();
  if (bell.what->Sweep()) {
    parked.StoreRelaxed(0);
    queue_.push_back(token);
    return;
  }
  ring_.Wait(rung.Address(), value, token);
  bell.waiting = true;
}

class UringWorkers : public Workers {
 public:
  absl::Status Open() {
    const std::vector<int> cpus = UsableCpus();
    // A bell for each CPU number up to the highest usable one, so that the bell of a usable CPU is its worker's.
    bells_ = std::min(static_cast<uint32_t>(cpus.back()) + 1, wire::kBells);
    std::vector<std::vector<uint32_t>> bells_of(cpus.size());
    for (uint32_t bell = 0; bell < bells_; ++bell) {
      const auto home = std::find_if(cpus.begin(), cpus.end(), [&](int cpu) { return cpu % bells_ == bell; });
      const size_t worker = home == cpus.end() ? bell % cpus.size() : static_cast<size_t>(home - cpus.begin());
      bells_of[worker].push_back(bell);
    }
    for (size_t i = 0; i < cpus.size(); ++i) workers_.push_back(std::make_unique<Worker>(cpus[i], bells_of[i]));
    for (const auto& worker : workers_) {
      if (absl::Status status = worker->WaitUntilOpen(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  uint32_t BellsInUse() const override { return bells_; }
  void Add(std::shared_ptr<Sweepable> what) override {
    for (const auto& worker : workers_) worker->Add(what);
  }
  void Remove(const Sweepable& what) override {
    for (const auto& worker : workers_) worker->Remove(what);
  }
  size_t Count() const override { return workers_.size(); }
  std::string_view Waiting() const override { return "io_uring futex"; }

 private:
  uint32_t bells_ = 1;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Workers>> MakeUringWorkers() {
  auto workers = std::make_unique<UringWorkers>();
  if (absl::Status status = workers->Open(); !status.ok()) return status;
  return workers;
}

}  // namespace guise::server
