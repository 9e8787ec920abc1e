#include "server/reactor/reactor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/reactor/owned_fd.h"
#include "server/reactor/poller.h"

namespace guise::server {
namespace {

// Not absl::Time: a step of the wall clock must not move timers.
using Instant = std::chrono::steady_clock::time_point;

Instant In(absl::Duration delay) {
  // A year is for ever, and does not overflow.
  return std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(std::min(delay, absl::Hours(24 * 365)));
}

}  // namespace

struct Reactor::State {
  struct Watched {
    int fd;
    std::shared_ptr<const Callback> ready;
  };

  void Errand(Callback errand) {
    {
      absl::MutexLock lock(&mutex);
      errands.push_back(std::move(errand));
    }
    Wake();
  }
  void Wake() {
    const uint64_t one = 1;
    // Fails only when the counter is full, and then the reactor is awake anyway.
    [[maybe_unused]] const ssize_t written = write(wake.get(), &one, sizeof(one));
  }
  void ArmWake() { poller->Arm(wake.get(), kWakeToken); }

  // On the reactor's thread.
  void Add(int fd, Callback ready);
  void Remove(int fd);
  void Report(uint64_t token);
  void RunErrands();
  void RunTimers();
  absl::Duration UntilNextTimer();

  static constexpr uint64_t kWakeToken = 1;

  std::unique_ptr<Poller> poller;
  OwnedFd wake;
  std::atomic<std::thread::id> thread;
  std::atomic<bool> stopped = false;

  // The reactor's thread alone, or, before Run(), the errands' poster never.
  uint64_t next_token = kWakeToken + 1;
  std::unordered_map<uint64_t, Watched> watched;
  std::unordered_map<int, uint64_t> tokens;

  absl::Mutex mutex;
  std::deque<Callback> errands ABSL_GUARDED_BY(mutex);
  TimerId next_timer ABSL_GUARDED_BY(mutex) = 1;
  std::map<std::pair<Instant, TimerId>, Callback> timers ABSL_GUARDED_BY(mutex);
  std::unordered_map<TimerId, Instant> due_at ABSL_GUARDED_BY(mutex);
};

void Reactor::State::Add(int fd, Callback ready) {
  const uint64_t token = next_token++;
  watched[token] = {.fd = fd, .ready = std::make_shared<const Callback>(std::move(ready))};
  tokens[fd] = token;
  poller->Arm(fd, token);
}

void Reactor::State::Remove(int fd) {
  const auto it = tokens.find(fd);
  if (it == tokens.end()) return;
  poller->Forget(fd, it->second);
  watched.erase(it->second);
  tokens.erase(it);
}

void Reactor::State::Report(uint64_t token) {
  if (token == kWakeToken) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake.get(), &count, sizeof(count));
    ArmWake();
    return;
  }
  auto it = watched.find(token);
  if (it == watched.end()) return;                                 // unwatched while the report was on its way
  const std::shared_ptr<const Callback> ready = it->second.ready;  // the callback may unwatch itself
  (*ready)();
  it = watched.find(token);
  if (it != watched.end()) poller->Arm(it->second.fd, token);
}

void Reactor::State::RunErrands() {
  // Only those that are there now: an errand that posts itself again starves nobody.
  std::deque<Callback> batch;
  {
    absl::MutexLock lock(&mutex);
    batch.swap(errands);
  }
  while (!batch.empty() && !stopped.load()) {
    const Callback errand = std::move(batch.front());
    batch.pop_front();
    errand();
  }
  if (!batch.empty()) {
    absl::MutexLock lock(&mutex);
    errands.insert(errands.begin(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
  }
}

void Reactor::State::RunTimers() {
  const Instant now = std::chrono::steady_clock::now();
  while (!stopped.load()) {
    Callback due;
    {
      absl::MutexLock lock(&mutex);
      if (timers.empty() || timers.begin()->first.first > now) return;
      due = std::move(timers.begin()->second);
      due_at.erase(timers.begin()->first.second);
      timers.erase(timers.begin());
    }
    due();
  }
}

absl::Duration Reactor::State::UntilNextTimer() {
  absl::MutexLock lock(&mutex);
  if (!errands.empty()) return absl::ZeroDuration();
  if (timers.empty()) return absl::InfiniteDuration();
  return std::max(absl::ZeroDuration(),
                  absl::FromChrono(timers.begin()->first.first - std::chrono::steady_clock::now()));
}

Reactor::Reactor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reactor::~Reactor() = default;

absl::StatusOr<std::unique_ptr<Reactor>> Reactor::Create(const Options& options) {
  auto state = std::make_unique<State>();
  absl::StatusOr<std::unique_ptr<Poller>> poller = absl::FailedPreconditionError("io_uring is not asked for");
  if (options.allow_io_uring) poller = MakeUringPoller();
  if (!poller.ok()) poller = MakeEpollPoller();
  if (!poller.ok()) return poller.status();
  state->poller = *std::move(poller);
  state->wake = OwnedFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->wake) return absl::ErrnoToStatus(errno, "cannot make an eventfd for the server's reactor");
  state->ArmWake();
  return std::unique_ptr<Reactor>(new Reactor(std::move(state)));
}

void Reactor::Watch(int fd, Callback ready) {
  if (OnReactorThread()) {
    state_->Add(fd, std::move(ready));
    return;
  }
  state_->Errand([this, fd, ready = std::move(ready)] { state_->Add(fd, ready); });
}

void Reactor::Unwatch(int fd) {
  if (OnReactorThread()) {
    state_->Remove(fd);
    return;
  }
  state_->Errand([this, fd] { state_->Remove(fd); });
}

Reactor::TimerId Reactor::After(absl::Duration delay, Callback due) {
  TimerId id = 0;
  {
    absl::MutexLock lock(&state_->mutex);
    id = state_->next_timer++;
    const Instant at = In(delay);
    state_->timers.emplace(std::make_pair(at, id), std::move(due));
    state_->due_at.emplace(id, at);
  }
  if (!OnReactorThread()) state_->Wake();
  return id;
}

void Reactor::Cancel(TimerId timer) {
  Callback destroyed_unlocked;
  absl::MutexLock lock(&state_->mutex);
  const auto it = state_->due_at.find(timer);
  if (it == state_->due_at.end()) return;
  const auto node = state_->timers.find({it->second, timer});
  destroyed_unlocked = std::move(node->second);
  state_->timers.erase(node);
  state_->due_at.erase(it);
}

void Reactor::Post(Callback errand) { state_->Errand(std::move(errand)); }

void Reactor::Run() {
  state_->thread = std::this_thread::get_id();
  std::vector<uint64_t> tokens;
  while (!state_->stopped.load()) {
    tokens.clear();
    state_->poller->Wait(state_->UntilNextTimer(), tokens);
    for (const uint64_t token : tokens) {
      if (state_->stopped.load()) break;
      state_->Report(token);
    }
    state_->RunErrands();
    state_->RunTimers();
  }
  state_->thread = std::thread::id();
}

void Reactor::Stop() {
  state_->stopped.store(true);
  state_->Wake();
}

bool Reactor::OnReactorThread() const { return state_->thread.load() == std::this_thread::get_id(); }
std::string_view Reactor::Kind() const { return state_->poller->Kind(); }

}  // namespace guise::server
