#include "server/session/session.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace guise::server {
namespace {

// How often all records are looked at: often while guests come and go, else seldom. Deaths are told by pidfds; this
// finds processes that never post a call.
constexpr absl::Duration kShortRound = absl::Seconds(1);
constexpr absl::Duration kLongRound = absl::Seconds(16);
// A forked child takes its record a moment after its parent may have gone: a session is empty when it is so twice.
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(50);
// After SIGKILL only the kernel can keep a process alive.
constexpr absl::Duration kKillTime = absl::Seconds(5);

}  // namespace

Session::Session(Reactor& reactor, Workers& workers, Options options)
    : reactor_(reactor),
      workers_(workers),
      options_(std::move(options)),
      created_unix_nanos_(absl::ToUnixNanos(absl::Now())),
      layers_(options_.session.layers),
      overrides_(options_.session.overrides),
      round_(kShortRound) {}

absl::StatusOr<std::shared_ptr<Session>> Session::Create(Reactor& reactor, Workers& workers, Options options) {
  std::shared_ptr<Session> session(new Session(reactor, workers, std::move(options)));
  Session& self = *session;
  const SessionOptions& wanted = self.options_.session;
  absl::StatusOr<std::shared_ptr<const Epoch>> first =
      self.options_.compile(self.Spec(1, wanted.layers, wanted.overrides));
  if (!first.ok()) return first.status();
  absl::StatusOr<std::unique_ptr<SessionMemories>> memories =
      SessionMemories::Create(self.number(), wire::kReplySizeDefault);
  if (!memories.ok()) return memories.status();
  self.memories_ = *std::move(memories);
  if (absl::Status status = self.memories_->WriteTextRules(wanted.text_rules); !status.ok()) return status;

  if (self.options_.sites != nullptr && wanted.rewrite_after != 0) {
    using Known = SiteLibrary::Known;
    self.options_.sites->Fill(self.memories_, self.KeepsSites() ? Known::kAll : Known::kOwnLibraries);
  }

  std::weak_ptr<Session> weak = session;
  Strand::Options strand;
  strand.session = self.number();
  strand.owner_uid = wanted.owner_uid;
  strand.owner_gid = wanted.owner_gid;
  strand.bells = workers.BellsInUse();
  strand.meet = [weak, &reactor](const HeldProcess& posted) {
    reactor.Post([weak, posted] {
      if (const std::shared_ptr<Session> met = weak.lock()) met->census_->Meet(posted);
    });
  };
  absl::StatusOr<std::shared_ptr<Strand>> made = Strand::Create(self.memories_, *std::move(first), std::move(strand));
  if (!made.ok()) return made.status();
  self.strand_ = *std::move(made);
  const bool in_namespace = wanted.sandbox.has_value() && wanted.sandbox->floor() != v1::FLOOR_LANDLOCK;
  self.census_ = std::make_shared<Census>(reactor, self.memories_, self.strand_, in_namespace, [weak] {
    if (const std::shared_ptr<Session> changed = weak.lock()) changed->Reconsider();
  });
  workers.Add(self.strand_);
  self.In(self.options_.join_within, &Session::Reconsider);
  self.In(kShortRound, &Session::Round);
  return session;
}

EpochSpec Session::Spec(uint32_t number, std::vector<std::string> layers, std::vector<Override> overrides) const {
  EpochSpec spec;
  spec.number = number;
  spec.layers = std::move(layers);
  spec.overrides = std::move(overrides);
  spec.owner_uid = options_.session.owner_uid;
  spec.owner_gid = options_.session.owner_gid;
  if (options_.session.exact_guest_seccomp) spec.flags |= wire::kExactSeccomp;
  if (options_.session.refuse_unshimmed) spec.flags |= wire::kRefuseUnshimmed;
  if (!options_.session.text_rules.empty()) spec.flags |= wire::kHasTextRules;
  // An ordinary user's namespace has names for that user's ids alone; what else there is belongs to root, mostly.
  const std::optional<v1::SandboxPolicy>& sandbox = options_.session.sandbox;
  if (sandbox.has_value() && sandbox->floor() != v1::FLOOR_LANDLOCK && spec.owner_uid != 0) {
    spec.flags |= wire::kMapOverflow;
  }
  spec.rewrite_after = options_.session.rewrite_after;
  spec.generic_kernel = options_.session.generic_kernel;
  spec.sandboxed = options_.session.sandbox.has_value();
  return spec;
}

SessionInfo Session::Info() {
  SessionInfo info;
  if (!IsEnded()) {
    census_->Scan();
    info.guests = census_->Living();
  }
  info.totals = strand_->Totals();
  info.heap_frames = strand_->HeapFrames();
  info.panics = strand_->Panics();
  info.sites = strand_->Sites();
  info.number = number();
  info.id = absl::StrFormat("%08x", number());
  info.name = name();
  info.owner_uid = owner_uid();
  info.generic_kernel = options_.session.generic_kernel;
  info.sandbox = options_.session.sandbox;
  info.created_unix_nanos = created_unix_nanos_;
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, connection] : connections_) {
    if (connection.role == Role::kKeeper) info.keeper = connection.pid;
  }
  info.layers = layers_;
  info.overrides = overrides_;
  info.epoch = epoch_;
  info.state = state_;
  // A guest whose launcher did not stay.
  if (state_ == SessionState::kStarting && !info.guests.empty()) info.state = SessionState::kRunning;
  return info;
}

absl::Status Session::Gone() const {
  return absl::FailedPreconditionError(
      absl::StrCat("session ", absl::StrFormat("%08x", number()), " has ended; start another with `guise run`"));
}

// See SiteLibrary.
bool Session::KeepsSites() const { return options_.sites != nullptr && owner_uid() == geteuid() && !sandboxed(); }

bool Session::IsEnded() const {
  absl::MutexLock lock(&mutex_);
  return state_ == SessionState::kEnded;
}

absl::StatusOr<uint32_t> Session::PublishStack(const std::vector<std::string>& layers) {
  absl::MutexLock publishing(&publish_mutex_);
  std::vector<Override> overrides;
  {
    absl::MutexLock lock(&mutex_);
    overrides = overrides_;
  }
  return PublishNext(layers, std::move(overrides));
}

absl::StatusOr<uint32_t> Session::Place(const std::vector<Override>& changes) {
  absl::MutexLock publishing(&publish_mutex_);
  std::vector<std::string> layers;
  std::vector<Override> overrides;
  {
    absl::MutexLock lock(&mutex_);
    layers = layers_;
    overrides = overrides_;
  }
  for (const Override& change : changes) {
    if (change.syscall == "all" && !change.placement.has_value()) overrides.clear();
    overrides.erase(std::remove_if(overrides.begin(), overrides.end(),
                                   [&](const Override& old) { return old.syscall == change.syscall; }),
                    overrides.end());
    if (change.placement.has_value()) overrides.push_back(change);
  }
  return PublishNext(std::move(layers), std::move(overrides));
}

absl::StatusOr<uint32_t> Session::PublishNext(std::vector<std::string> layers, std::vector<Override> overrides) {
  uint32_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (state_ == SessionState::kEnded) return Gone();
    number = epoch_ + 1;
  }
  absl::StatusOr<std::shared_ptr<const Epoch>> epoch = options_.compile(Spec(number, layers, overrides));
  if (!epoch.ok()) return epoch.status();
  strand_->Publish(*std::move(epoch));
  absl::MutexLock lock(&mutex_);
  epoch_ = number;
  layers_ = std::move(layers);
  overrides_ = std::move(overrides);
  return number;
}

absl::StatusOr<uint32_t> Session::Drain(uint32_t epoch, absl::Time deadline) {
  {
    absl::MutexLock lock(&mutex_);
    if (epoch == 0) epoch = epoch_;
    if (epoch > epoch_) {
      return absl::FailedPreconditionError(absl::StrCat("epoch ", epoch, " of session ",
                                                        absl::StrFormat("%08x", number()),
                                                        " is not published yet; the current one is ", epoch_));
    }
  }
  // Guests do not tell when they leave an epoch: that would cost each of their calls something.
  absl::Duration pause = absl::Microseconds(50);
  absl::Time next_look = absl::Now() + kShortRound;
  while (!IsEnded()) {
    if (strand_->Drained(epoch)) return epoch;
    const absl::Time now = absl::Now();
    if (now >= deadline) {
      return absl::DeadlineExceededError(absl::StrCat("calls of an epoch before ", epoch, " still run in session ",
                                                      absl::StrFormat("%08x", number()),
                                                      "; the epoch is published, ask again to wait for longer"));
    }
    if (ended_.WaitForNotificationWithTimeout(std::min(pause, deadline - now))) break;
    // A thread that execve(2) has killed stays under its epoch until it is found lost.
    if (now > next_look) {
      census_->LookForLost();
      next_look = now + kShortRound;
    }
    pause = std::min(pause * 2, absl::Milliseconds(5));
  }
  return Gone();
}

absl::StatusOr<uint32_t> Session::Stop(int signal, absl::Duration grace) {
  if (IsEnded()) return Gone();
  census_->Scan();
  const uint32_t signalled = census_->Signal(signal);
  const absl::Time killed = absl::Now() + grace;
  const absl::Time given_up = killed + kKillTime;
  // Twice none: see kBetweenLooks. Who is forked meanwhile is found by the next scan.
  for (int empty = 0; empty < 2 && absl::Now() < given_up;) {
    const bool kill = absl::Now() >= killed || signal == SIGKILL;
    if (kill) census_->Signal(SIGKILL);
    const bool none = census_->Remaining() == 0;
    if (none && ended_.WaitForNotificationWithTimeout(kBetweenLooks)) break;
    if (!none) census_->AwaitDeath(kill ? absl::Now() + kBetweenLooks : killed);
    empty = none ? empty + 1 : 0;
  }
  End();
  return signalled;
}

absl::Status Session::Wait(absl::Time deadline) {
  if (ended_.WaitForNotificationWithDeadline(deadline)) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat("session ", absl::StrFormat("%08x", number()), " still runs"));
}

bool Session::Deserted() {
  {
    absl::MutexLock lock(&mutex_);
    if (state_ == SessionState::kEnded) return true;
    if (!joined_) return false;
    // Who has connected and holds no memory is a keeper that waits for the guests' end.
    if (!memories().IsHeldByGuests()) return true;
    const bool connected = std::any_of(connections_.begin(), connections_.end(), [](const auto& connection) {
      pollfd peer = {connection.second.socket, POLLRDHUP, 0};
      return poll(&peer, 1, 0) == 0;
    });
    if (connected) return false;
  }
  return census_->Remaining() == 0;
}

void Session::Settle(absl::Time deadline) {
  while (absl::Now() < deadline && Deserted()) {
    if (ended_.WaitForNotificationWithTimeout(kBetweenLooks)) return;
  }
}

absl::StatusOr<Session::ConnectionId> Session::Join(Connection connection) {
  absl::MutexLock lock(&mutex_);
  if (state_ == SessionState::kEnded) return Gone();
  if (connection.role == Role::kKeeper) {
    for (const auto& [id, other] : connections_) {
      if (other.role != Role::kKeeper) continue;
      return absl::AlreadyExistsError(
          absl::StrCat("session ", absl::StrFormat("%08x", number()), " has a keeper, process ", other.pid));
    }
  }
  state_ = SessionState::kRunning;
  joined_ = true;
  const ConnectionId id = next_connection_++;
  connections_[id] = std::move(connection);
  return id;
}

void Session::Leave(ConnectionId connection) {
  {
    absl::MutexLock lock(&mutex_);
    if (connections_.erase(connection) == 0) return;
  }
  In(absl::ZeroDuration(), &Session::Reconsider);
}

bool Session::JoinedBy(pid_t pid) const {
  absl::MutexLock lock(&mutex_);
  return std::any_of(connections_.begin(), connections_.end(), [&](const auto& connection) {
    return (connection.second.role == Role::kKeeper || sandboxed()) && connection.second.pid == pid;
  });
}

bool Session::HasGuest(pid_t pid) const { return census_->Holds(pid); }

void Session::LookAtRecords() {
  if (!IsEnded()) census_->Scan();
}

void Session::In(absl::Duration delay, void (Session::*what)()) {
  reactor_.After(delay, [weak = weak_from_this(), what] {
    if (const std::shared_ptr<Session> session = weak.lock()) ((*session).*what)();
  });
}

void Session::Round() {
  if (IsEnded()) return;
  census_->LookForLost();
  const uint64_t events = census_->Events();
  round_ = events == events_ ? std::min(round_ * 2, kLongRound) : kShortRound;
  events_ = events;
  In(round_, &Session::Round);
  Reconsider();
}

void Session::Reconsider() {
  {
    absl::MutexLock lock(&mutex_);
    const bool kept = !connections_.empty() && memories().IsHeldByGuests();
    if (state_ == SessionState::kEnded || kept) {
      empty_looks_ = 0;
      return;
    }
    // Until it is joined it may be empty, for a while.
    const absl::Time created = absl::FromUnixNanos(created_unix_nanos_);
    if (!joined_ && absl::Now() < created + options_.join_within) return;
  }
  if (census_->Remaining() != 0) {
    empty_looks_ = 0;
    return;
  }
  if (++empty_looks_ < 2) {
    In(kBetweenLooks, &Session::Reconsider);
    return;
  }
  End();
}

void Session::End() {
  std::map<ConnectionId, Connection> connections;
  bool first = false;
  {
    absl::MutexLock lock(&mutex_);
    first = state_ != SessionState::kEnded;
    state_ = SessionState::kEnded;
    connections.swap(connections_);
  }
  if (!first) {
    ended_.WaitForNotification();
    return;
  }
  workers_.Remove(*strand_);
  const SessionInfo last = Info();
  strand_->Close();
  census_->Close();
  if (KeepsSites()) options_.sites->Learn(memories_);
  for (auto& [id, connection] : connections) reactor_.Post(std::move(connection.close));
  options_.ended(last);
  ended_.Notify();
}

}  // namespace guise::server
