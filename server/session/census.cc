#include "server/session/census.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "server/guest/process.h"

namespace guise::server {

Census::Census(Reactor& reactor, std::shared_ptr<SessionMemories> memories, std::shared_ptr<Strand> strand,
               std::function<void()> changed)
    : reactor_(reactor), memories_(std::move(memories)), strand_(std::move(strand)), changed_(std::move(changed)) {}

void Census::Meet(uint32_t process, uint64_t owner) {
  const std::vector<HeldProcess> held = strand_->Held();
  const bool foreign = HasForeign(held);
  for (const HeldProcess& found : held) {
    if (found.process == process && found.owner == owner) Consider(found, Trust::kPosted, foreign);
  }
}

size_t Census::Scan() {
  const std::vector<HeldProcess> held = strand_->Held();
  const bool foreign = HasForeign(held);
  std::set<Key> before;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return 0;
    before.swap(suspects_);
  }
  size_t unknown = 0;
  for (const HeldProcess& found : held) {
    const Key key = {found.process, found.owner};
    Consider(found, before.count(key) != 0 ? Trust::kPosted : Trust::kScanned, foreign);
    absl::MutexLock lock(&mutex_);
    // Not found dead for certain so far.
    if (guests_.count(key) == 0 && (foreign || suspects_.count(key) != 0)) ++unknown;
  }
  absl::MutexLock lock(&mutex_);
  return guests_.size() + unknown;
}

bool Census::HasForeign(const std::vector<HeldProcess>& held) {
  const bool found = std::any_of(held.begin(), held.end(), [](const HeldProcess& process) { return process.pid == 1; });
  absl::MutexLock lock(&mutex_);
  foreign_ |= found;
  return foreign_;
}

void Census::Consider(const HeldProcess& held, Trust trust, bool foreign) {
  const Key key = {held.process, held.owner};
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || guests_.count(key) != 0) return;
  }
  OwnedFd pidfd = OpenGuest(held.pid, held.taken_at);
  if (pidfd && foreign) {
    const SharedMemory& request = memories_->request;
    if (MapsFile(held.pid, request.device(), request.inode()) == Maps::kNo) pidfd = OwnedFd();
  }
  if (pidfd) {
    absl::MutexLock lock(&mutex_);
    if (closed_ || !guests_.emplace(key, Guest{.pid = held.pid, .pidfd = std::move(pidfd)}).second) return;
    ++events_;
    WatchSoon(key);
    return;
  }
  if (foreign) return;
  if (trust == Trust::kScanned || held.pid == 0) {
    absl::MutexLock lock(&mutex_);
    suspects_.insert(key);
    return;
  }
  strand_->ReclaimProcess(held.process, held.owner, held.pid);
  absl::MutexLock lock(&mutex_);
  ++events_;
}

// On the reactor's thread, so that watching, dying and closing come one after the other.
void Census::WatchSoon(const Key& key) {
  reactor_.Post([weak = weak_from_this(), key] {
    const std::shared_ptr<Census> census = weak.lock();
    if (census == nullptr) return;
    absl::MutexLock lock(&census->mutex_);
    const auto it = census->guests_.find(key);
    if (census->closed_ || it == census->guests_.end()) return;
    census->reactor_.Watch(it->second.pidfd.get(), [weak, key] {
      if (const std::shared_ptr<Census> watcher = weak.lock()) watcher->Died(key);
    });
  });
}

void Census::Died(const Key& key) {
  Guest guest;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = guests_.find(key);
    if (it == guests_.end()) return;
    guest = std::move(it->second);
    guests_.erase(it);
    ++events_;
  }
  reactor_.Unwatch(guest.pidfd.get());
  // A record that was read while it was being taken may have shown the pid of its last holder.
  const std::vector<HeldProcess> held = strand_->Held();
  const auto now = std::find_if(held.begin(), held.end(), [&](const HeldProcess& process) {
    return process.process == key.first && process.owner == key.second && process.pid != guest.pid;
  });
  if (now != held.end()) {
    Consider(*now, Trust::kScanned, HasForeign(held));
  } else {
    strand_->ReclaimProcess(key.first, key.second, guest.pid);
  }
  changed_();
}

std::vector<GuestInfo> Census::Living() const {
  std::vector<GuestInfo> living;
  for (const HeldProcess& held : strand_->Held()) {
    absl::MutexLock lock(&mutex_);
    const auto it = guests_.find({held.process, held.owner});
    if (it != guests_.end()) living.push_back({.pid = it->second.pid, .comm = held.comm});
  }
  std::sort(living.begin(), living.end(), [](const GuestInfo& a, const GuestInfo& b) { return a.pid < b.pid; });
  return living;
}

bool Census::Holds(pid_t pid) const {
  absl::MutexLock lock(&mutex_);
  return std::any_of(guests_.begin(), guests_.end(), [&](const auto& guest) { return guest.second.pid == pid; });
}

uint32_t Census::Signal(int signal) {
  absl::MutexLock lock(&mutex_);
  uint32_t sent = 0;
  for (const auto& [key, guest] : guests_) {
    const SharedMemory& request = memories_->request;
    if (MapsFile(guest.pid, request.device(), request.inode()) != Maps::kYes) continue;
    if (::syscall(SYS_pidfd_send_signal, guest.pidfd.get(), signal, nullptr, 0) == 0) ++sent;
  }
  return sent;
}

void Census::AwaitNone(absl::Time deadline) const {
  absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return closed_ || guests_.empty(); };
  mutex_.AwaitWithDeadline(absl::Condition(&none), deadline);
}

uint64_t Census::Events() const {
  absl::MutexLock lock(&mutex_);
  return events_;
}

void Census::Close() {
  auto guests = std::make_shared<std::map<Key, Guest>>();
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  guests->swap(guests_);
  // The fds close with the errand, after nobody watches them any more.
  reactor_.Post([&reactor = reactor_, guests] {
    for (const auto& [key, guest] : *guests) reactor.Unwatch(guest.pidfd.get());
  });
}

}  // namespace guise::server
