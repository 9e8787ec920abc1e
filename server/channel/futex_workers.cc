#include "server/channel/futex_workers.h"

#include <atomic>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "server/channel/futex.h"

namespace guise::server {
namespace {

// One session's thread.
class Waiter {
 public:
  explicit Waiter(std::shared_ptr<Sweepable> what) : what_(std::move(what)), thread_([this] { Run(); }) {}

  ~Waiter() {
    stop_.store(true);
    // The word belongs to guests and is not changed for this: a wake that comes before the wait is lost, hence the
    // loop.
    do {
      FutexWakeAll(what_->Rung(0).Address());
    } while (!done_.WaitForNotificationWithTimeout(absl::Milliseconds(1)));
    thread_.join();
  }

 private:
  void Run() {
    const wire::Cell<uint32_t>& rung = what_->Rung(0);
    wire::Cell<uint32_t>& parked = what_->Parked(0);
    while (!stop_.load()) {
      const uint32_t value = rung.Acquire();
      parked.StoreRelaxed(1);
      wire::FullFence();
      if (!what_->Sweep() && !stop_.load()) FutexWait(rung.Address(), value);
      parked.StoreRelaxed(0);
    }
    done_.Notify();
  }

  const std::shared_ptr<Sweepable> what_;
  std::atomic<bool> stop_ = false;
  absl::Notification done_;
  std::thread thread_;  // last: it uses the others
};

class FutexWorkers : public Workers {
 public:
  uint32_t BellsInUse() const override { return 1; }

  void Add(std::shared_ptr<Sweepable> what) override {
    const Sweepable* const key = what.get();
    auto waiter = std::make_unique<Waiter>(std::move(what));
    absl::MutexLock lock(&mutex_);
    waiters_[key] = std::move(waiter);
  }

  void Remove(const Sweepable& what) override {
    std::unique_ptr<Waiter> ended;
    absl::MutexLock lock(&mutex_);
    const auto it = waiters_.find(&what);
    if (it == waiters_.end()) return;
    ended = std::move(it->second);
    waiters_.erase(it);
  }

  size_t Count() const override {
    absl::MutexLock lock(&mutex_);
    return waiters_.size();
  }

  std::string_view Waiting() const override { return "futex"; }

 private:
  mutable absl::Mutex mutex_;
  std::unordered_map<const Sweepable*, std::unique_ptr<Waiter>> waiters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Workers> MakeFutexWorkers() { return std::make_unique<FutexWorkers>(); }

}  // namespace guise::server
