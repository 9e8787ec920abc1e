#include "server/session/census.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "server/guest/process.h"

namespace guise::server {
namespace {

// Each costs a descriptor, of which other sessions need some. Those beyond are found dead by looking.
size_t MostWatched() {
  rlimit limit = {};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 4 : 64;
}

}  // namespace

Census::Census(Reactor& reactor, std::shared_ptr<SessionMemories> memories, std::shared_ptr<Strand> strand,
               bool in_namespace, std::function<void()> changed)
    : reactor_(reactor),
      in_namespace_(in_namespace),
      memories_(std::move(memories)),
      strand_(std::move(strand)),
      changed_(std::move(changed)) {}

Uses Census::Look::UsesMemory(pid_t pid) {
  const auto [it, is_new] = uses_.try_emplace(pid, Uses::kUnknown);
  if (is_new) it->second = census_.UsesMemory(pid);
  return it->second;
}

std::vector<pid_t> Census::Look::Called(pid_t named) {
  if (!called_.has_value()) called_ = PidsInNamespaces();
  std::vector<pid_t> found;
  for (auto [it, end] = called_->equal_range(named); it != end; ++it) found.push_back(it->second);
  return found;
}

void Census::Meet(const HeldProcess& posted) {
  Look look(*this, HasForeign(strand_->Held()));
  Consider(posted, Trust::kPosted, look);
  Reclaim(look);
}

Uses Census::UsesMemory(pid_t pid) const {
  return UsesFile(pid, memories_->request.device(), memories_->request.inode());
}

void Census::LookForLost() {
  Scan();
  std::map<uint32_t, Strand::LivingProcess> living;
  {
    absl::MutexLock lock(&mutex_);
    if (!foreign_) {
      for (const auto& [key, guest] : guests_) living[key.first] = {.owner = key.second, .pid = guest.pid};
    }
  }
  strand_->ReclaimLost(living);
}

size_t Census::Remaining() {
  const size_t all = Scan();
  // Records of guests in namespaces of their own are left alone, whether or not they live.
  if (!memories_->IsHeldByGuests()) return 0;
  absl::MutexLock lock(&mutex_);
  const auto lies = std::count_if(guests_.begin(), guests_.end(),
                                  [this](const auto& guest) { return UsesMemory(guest.second.pid) == Uses::kNo; });
  return all - std::min(all, static_cast<size_t>(lies));
}

size_t Census::Scan() {
  const std::vector<HeldProcess> held = strand_->Held();
  Look look(*this, HasForeign(held));
  std::set<Key> before;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return 0;
    before.swap(suspects_);
  }
  size_t living = 0;
  for (const HeldProcess& found : held) {
    const bool again = before.count({found.process, found.owner}) != 0;
    if (Consider(found, again ? Trust::kPosted : Trust::kScanned, look)) ++living;
  }
  Reclaim(look);
  // Those that gave their records back may not have gone yet.
  absl::MutexLock lock(&mutex_);
  return std::max(living, guests_.size());
}

bool Census::HasForeign(const std::vector<HeldProcess>& held) {
  const bool found = std::any_of(held.begin(), held.end(), [](const HeldProcess& process) { return process.pid == 1; });
  absl::MutexLock lock(&mutex_);
  foreign_ |= found || in_namespace_;
  return foreign_;
}

bool Census::Consider(const HeldProcess& held, Trust trust, Look& look) {
  const Key key = {held.process, held.owner};
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || guests_.count(key) != 0) return true;
  }
  Guest guest;
  const Presence presence = Find(held, look, &guest);
  if (presence == Presence::kThere) {
    absl::MutexLock lock(&mutex_);
    if (in_namespace_ && !namespace_) Learn(held.pid, guest);
    // A second record of a process that is watched goes back when a later look finds nobody behind it.
    if (closed_ || guests_.size() >= MostWatched() || !pids_.insert(guest.pid).second) return true;
    guests_.emplace(key, std::move(guest));
    ++events_;
    WatchSoon(key);
    return true;
  }
  // Some may be where /proc does not show them.
  if (look.foreign() && !in_namespace_) return true;
  if (presence == Presence::kYounger && look.UsesMemory(guest.pid) != Uses::kNo) return true;
  if (trust == Trust::kScanned) {
    absl::MutexLock lock(&mutex_);
    suspects_.insert(key);
    return true;
  }
  look.dead.push_back({held.process, held.owner});
  return false;
}

void Census::Reclaim(const Look& look) {
  strand_->ReclaimProcesses(look.dead, look.foreign());
  absl::MutexLock lock(&mutex_);
  events_ += look.dead.size();
}

Presence Census::Find(const HeldProcess& held, Look& look, Guest* guest) const {
  guest->pid = held.pid;
  if (!in_namespace_) {
    const Presence presence = OpenGuest(held.pid, held.taken_at, &guest->pidfd);
    const bool there = presence == Presence::kThere;
    if (!look.foreign() || (there && look.UsesMemory(held.pid) != Uses::kNo)) return presence;
    guest->pidfd = OwnedFd();
  }
  Presence found = Presence::kNone;
  const auto is_there = [&](pid_t pid) {
    const Uses uses = look.UsesMemory(pid);
    if (uses == Uses::kNo) return false;
    // Not known: perhaps it is.
    const Presence presence = uses == Uses::kYes ? OpenGuest(pid, held.taken_at, &guest->pidfd) : Presence::kYounger;
    if (presence == Presence::kNone) return false;
    guest->pid = pid;
    found = presence;
    return found == Presence::kThere;
  };
  if (const std::optional<pid_t> named = FindInNamespace(held.pid)) {
    if (*named > 0) is_there(*named);
    return found;
  }
  for (const pid_t pid : look.Called(held.pid)) {
    if (is_there(pid)) break;
  }
  return found;
}

void Census::Learn(pid_t named, const Guest& guest) {
  PidNamespace found = PidNamespace::Of(guest.pid, guest.pidfd);
  if (found.Find(named) == guest.pid) namespace_ = std::move(found);
}

std::optional<pid_t> Census::FindInNamespace(pid_t named) const {
  absl::MutexLock lock(&mutex_);
  return namespace_.Find(named);
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
    pids_.erase(guest.pid);
    ++events_;
    ++deaths_;
  }
  reactor_.Unwatch(guest.pidfd.get());
  strand_->ReclaimProcesses({{key.first, key.second}}, HasForeign({}));
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
    if (UsesMemory(guest.pid) != Uses::kYes) continue;
    if (::syscall(SYS_pidfd_send_signal, guest.pidfd.get(), signal, nullptr, 0) == 0) ++sent;
  }
  return sent;
}

void Census::AwaitDeath(absl::Time deadline) const {
  absl::MutexLock lock(&mutex_);
  const uint64_t before = deaths_;
  const auto died = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return closed_ || guests_.empty() || deaths_ != before; };
  mutex_.AwaitWithDeadline(absl::Condition(&died), deadline);
}

uint64_t Census::Events() const {
  absl::MutexLock lock(&mutex_);
  return events_;
}

void Census::Close() {
  auto guests = std::make_shared<std::map<Key, Guest>>();
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  namespace_ = PidNamespace();
  guests->swap(guests_);
  // The fds close with the errand, after nobody watches them any more.
  reactor_.Post([&reactor = reactor_, guests] {
    for (const auto& [key, guest] : *guests) reactor.Unwatch(guest.pidfd.get());
  });
}

}  // namespace guise::server
