#include "server/session/sessions.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <random>
#include <system_error>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "server/channel/workers.h"
#include "server/guest/process.h"
#include "server/reactor/reactor.h"
#include "server/session/session.h"

namespace guise::server {
namespace {

constexpr size_t kRemembered = 256;  // ended sessions
constexpr int kAncestors = 1024;
// The reactor ends a deserted session within a tenth of a second; only a machine that is out of breath takes longer.
constexpr absl::Duration kSettleTime = absl::Seconds(10);

// Each guest costs a pidfd; select(2), for which the soft limit stays low by default, is used nowhere here.
void RaiseOpenFiles() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// nullopt: not in the form of an id.
std::optional<uint32_t> ParseId(std::string_view id) {
  uint32_t number = 0;
  if (id.size() != 8) return std::nullopt;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number, 16);
  if (error != std::errc() || end != id.data() + id.size()) return std::nullopt;
  return number;
}

}  // namespace

struct Sessions::State : std::enable_shared_from_this<Sessions::State> {
  State(Reactor& r, Options o) : reactor(r), options(std::move(o)) {}

  std::shared_ptr<Session> FindLocked(std::string_view session) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<std::shared_ptr<Session>> FindLiving(std::string_view session) const;
  // Of those that ended lately.
  std::optional<SessionInfo> FindEnded(std::string_view session) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status NotFound(std::string_view session) const;
  std::vector<std::shared_ptr<Session>> All() const;
  void Ended(const SessionInfo& last);
  absl::StatusOr<uint32_t> ReserveLocked(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  Reactor& reactor;
  const Options options;
  std::unique_ptr<server::Workers> workers;

  mutable absl::Mutex mutex;
  std::random_device random ABSL_GUARDED_BY(mutex);
  uint64_t created ABSL_GUARDED_BY(mutex) = 0;
  // By birth; null while it is being made.
  struct Entry {
    uint32_t number;
    std::string name;
    std::shared_ptr<Session> session;
  };
  std::map<uint64_t, Entry> living ABSL_GUARDED_BY(mutex);
  std::deque<SessionInfo> ended ABSL_GUARDED_BY(mutex);
  absl::Time idle_since ABSL_GUARDED_BY(mutex) = absl::Now();
};

std::shared_ptr<Session> Sessions::State::FindLocked(std::string_view session) const {
  const std::optional<uint32_t> number = ParseId(session);
  for (const auto& [birth, entry] : living) {
    if (entry.session == nullptr) continue;
    if (entry.number == number || (!entry.name.empty() && entry.name == session)) return entry.session;
  }
  return nullptr;
}

absl::Status Sessions::State::NotFound(std::string_view session) const {
  return absl::NotFoundError(
      absl::StrCat("there is no living session '", std::string(session), "'; `guise ps` lists those there are"));
}

absl::StatusOr<std::shared_ptr<Session>> Sessions::State::FindLiving(std::string_view session) const {
  absl::MutexLock lock(&mutex);
  std::shared_ptr<Session> found = FindLocked(session);
  if (found == nullptr) return NotFound(session);
  return found;
}

std::optional<SessionInfo> Sessions::State::FindEnded(std::string_view session) const {
  // The latest of a name.
  for (auto it = ended.rbegin(); it != ended.rend(); ++it) {
    if (it->id == session || (!it->name.empty() && it->name == session)) return *it;
  }
  return std::nullopt;
}

std::vector<std::shared_ptr<Session>> Sessions::State::All() const {
  absl::MutexLock lock(&mutex);
  std::vector<std::shared_ptr<Session>> all;
  for (const auto& [birth, entry] : living) {
    if (entry.session != nullptr) all.push_back(entry.session);
  }
  return all;
}

void Sessions::State::Ended(const SessionInfo& last) {
  absl::MutexLock lock(&mutex);
  for (auto it = living.begin(); it != living.end(); ++it) {
    if (it->second.number != last.number) continue;
    living.erase(it);
    break;
  }
  ended.push_back(last);
  if (ended.size() > kRemembered) ended.pop_front();
  if (living.empty()) idle_since = absl::Now();
}

absl::StatusOr<uint32_t> Sessions::State::ReserveLocked(const std::string& name) {
  constexpr size_t kLongestName = 64;
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= ' ' && c != 0x7f; });
  if (!plain || name.size() > kLongestName) {
    return absl::InvalidArgumentError(absl::StrCat("the session name '", absl::CHexEscape(name.substr(0, kLongestName)),
                                                   "' is no name: at most ", kLongestName,
                                                   " bytes, none of them a control character"));
  }
  if (ParseId(name).has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the session name '", name, "' could be taken for an id; choose another"));
  }
  for (const auto& [birth, entry] : living) {
    if (!name.empty() && entry.name == name) {
      return absl::AlreadyExistsError(absl::StrCat("a session named '", name, "' lives (",
                                                   absl::StrFormat("%08x", entry.number), "); choose another name"));
    }
  }
  const auto taken = [&](uint32_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const auto lives = [&](const auto& entry) { return entry.second.number == number; };
    const auto lived = [&](const SessionInfo& info) { return info.number == number; };
    return number == 0 || std::any_of(living.begin(), living.end(), lives) ||
           std::any_of(ended.begin(), ended.end(), lived);
  };
  uint32_t number = 0;
  while (taken(number)) number = random();
  return number;
}

Sessions::Sessions(std::shared_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<Sessions>> Sessions::Start(Reactor& reactor, Options options) {
  RaiseOpenFiles();
  absl::StatusOr<std::unique_ptr<server::Workers>> workers =
      server::Workers::Start({.allow_io_uring = options.allow_io_uring});
  if (!workers.ok()) return workers.status();
  auto state = std::make_shared<State>(reactor, std::move(options));
  state->workers = *std::move(workers);
  return std::unique_ptr<Sessions>(new Sessions(std::move(state)));
}

Sessions::~Sessions() {
  for (const std::shared_ptr<Session>& session : state_->All()) session->End();
}

absl::StatusOr<SessionInfo> Sessions::Create(const SessionOptions& options) {
  State& state = *state_;
  if (!options.name.empty()) {
    const absl::StatusOr<std::shared_ptr<Session>> last = state.FindLiving(options.name);
    if (last.ok()) (*last)->Settle(absl::Now() + kSettleTime);
  }
  uint64_t birth = 0;
  Session::Options made;
  made.sites = state_->options.sites;
  {
    absl::MutexLock lock(&state.mutex);
    absl::StatusOr<uint32_t> number = state.ReserveLocked(options.name);
    if (!number.ok()) return number.status();
    made.number = *number;
    birth = ++state.created;
    state.living[birth] = {.number = *number, .name = options.name, .session = nullptr};
  }
  made.session = options;
  made.compile = state.options.compile;
  made.join_within = state.options.join_within;
  made.ended = [weak = state.weak_from_this()](const SessionInfo& last) {
    if (const std::shared_ptr<State> registry = weak.lock()) registry->Ended(last);
  };
  absl::StatusOr<std::shared_ptr<Session>> session = Session::Create(state.reactor, *state.workers, std::move(made));
  {
    absl::MutexLock lock(&state.mutex);
    if (!session.ok()) {
      state.living.erase(birth);
      return session.status();
    }
    // It may have ended meanwhile.
    const auto entry = state.living.find(birth);
    if (entry != state.living.end()) entry->second.session = *session;
  }
  return (*session)->Info();
}

std::vector<SessionInfo> Sessions::List() const {
  Settle();
  std::vector<SessionInfo> list;
  for (const std::shared_ptr<Session>& session : state_->All()) list.push_back(session->Info());
  return list;
}

absl::StatusOr<SessionInfo> Sessions::Get(std::string_view session) const {
  std::shared_ptr<Session> found;
  {
    absl::MutexLock lock(&state_->mutex);
    found = state_->FindLocked(session);
    if (found == nullptr) {
      const std::optional<SessionInfo> ended = state_->FindEnded(session);
      if (ended.has_value()) return *ended;
      return state_->NotFound(session);
    }
  }
  return found->Info();
}

absl::StatusOr<uint32_t> Sessions::PublishStack(std::string_view session, const std::vector<std::string>& layers,
                                                absl::Time drain_until) {
  absl::StatusOr<std::shared_ptr<Session>> found = state_->FindLiving(session);
  if (!found.ok()) return found.status();
  absl::StatusOr<uint32_t> epoch = (*found)->PublishStack(layers);
  if (!epoch.ok() || drain_until <= absl::Now()) return epoch;
  return (*found)->Drain(*epoch, drain_until);
}

absl::StatusOr<uint32_t> Sessions::Place(std::string_view session, const std::vector<Override>& overrides) {
  absl::StatusOr<std::shared_ptr<Session>> found = state_->FindLiving(session);
  return found.ok() ? (*found)->Place(overrides) : found.status();
}

absl::StatusOr<uint32_t> Sessions::Drain(std::string_view session, uint32_t epoch, absl::Time deadline) {
  absl::StatusOr<std::shared_ptr<Session>> found = state_->FindLiving(session);
  return found.ok() ? (*found)->Drain(epoch, deadline) : found.status();
}

absl::StatusOr<uint32_t> Sessions::Stop(std::string_view session, int signal, absl::Duration grace) {
  absl::StatusOr<std::shared_ptr<Session>> found = state_->FindLiving(session);
  return found.ok() ? (*found)->Stop(signal, grace) : found.status();
}

absl::Status Sessions::Wait(std::string_view session, absl::Time deadline) {
  std::shared_ptr<Session> found;
  {
    absl::MutexLock lock(&state_->mutex);
    found = state_->FindLocked(session);
    if (found == nullptr) {
      return state_->FindEnded(session).has_value() ? absl::OkStatus() : state_->NotFound(session);
    }
  }
  return found->Wait(deadline);
}

absl::StatusOr<SessionInfo> Sessions::ExecInto(std::string_view session) {
  absl::StatusOr<std::shared_ptr<Session>> found = state_->FindLiving(session);
  if (!found.ok()) return found.status();
  SessionInfo info = (*found)->Info();
  if (info.state == SessionState::kEnded) return state_->NotFound(session);
  return info;
}

void Sessions::Settle() const {
  const absl::Time deadline = absl::Now() + kSettleTime;
  for (const std::shared_ptr<Session>& session : state_->All()) session->Settle(deadline);
}

size_t Sessions::Living() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->living.size();
}

absl::Time Sessions::IdleSince() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->living.empty() ? state_->idle_since : absl::InfiniteFuture();
}

bool Sessions::IsGuest(pid_t pid) const {
  const std::vector<std::shared_ptr<Session>> all = state_->All();
  for (const std::shared_ptr<Session>& session : all) session->LookAtRecords();
  for (int step = 0; step < kAncestors && pid > 1; ++step) {
    for (const std::shared_ptr<Session>& session : all) {
      // What a keeper runs is a guest; the keeper and who has started it are not. Who starts guests in a sandbox runs
      // nothing else, and not all of them need have a record.
      if (session->JoinedBy(pid)) return step > 0 && session->sandboxed();
      const SharedMemory& request = session->memories().request;
      // A record is a guest's word: it must not lock a stranger out.
      if (session->HasGuest(pid) && UsesFile(pid, request.device(), request.inode()) != Uses::kNo) return true;
    }
    const std::optional<ProcessStatus> status = ReadProcessStatus(pid);
    if (!status.has_value()) return false;
    pid = status->parent;
  }
  return false;
}

size_t Sessions::Workers() const { return state_->workers->Count(); }
std::string_view Sessions::Waiting() const { return state_->workers->Waiting(); }

std::shared_ptr<Session> Sessions::Find(uint32_t number) const {
  absl::MutexLock lock(&state_->mutex);
  for (const auto& [birth, entry] : state_->living) {
    if (entry.number == number) return entry.session;
  }
  return nullptr;
}

}  // namespace guise::server
