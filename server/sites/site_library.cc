#include "server/sites/site_library.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "proto/wire/book.h"
#include "server/sites/library_file.h"
#include "server/sites/own_libraries.h"
#include "server/sites/session_book.h"

namespace guise::server {
namespace {

constexpr size_t kMostFiles = 256;
// What one session adds at most: it must not drive out all that others have learned.
constexpr size_t kMostNewFiles = 64;
// Beyond so many, half of the past is forgotten.
constexpr uint64_t kMostLearners = 4096;

bool IsSame(const sites::Site& a, const sites::Site& b) {
  return a.offset() == b.offset() && a.nr() == b.nr() && a.text() == b.text();
}

// Whether nobody can rewrite a site.
bool IsHopeless(bool hard, const sites::Site& proven) { return hard && proven.plan() == 0; }

// Adds a site, if need be in the place of the one that takes fewest signals.
void AddSite(sites::File& file, const sites::Site& site) {
  auto* const all = file.mutable_sites();
  if (static_cast<uint32_t>(all->size()) < wire::kBookSites) {
    *all->Add() = site;
    return;
  }
  const auto least = std::min_element(all->begin(), all->end(), [](const sites::Site& one, const sites::Site& other) {
    return one.caught() < other.caught();
  });
  if (least->caught() < site.caught()) *least = site;
}

// What both know of a file.
void AddCounts(sites::File& file, const sites::File& learned) {
  file.set_learners(file.learners() + learned.learners());
  file.set_used(absl::ToUnixNanos(absl::Now()));
  auto* const all = file.mutable_sites();
  for (const sites::Site& site : learned.sites()) {
    const auto at = std::find_if(all->begin(), all->end(), [&](const sites::Site& one) { return IsSame(one, site); });
    if (at == all->end()) continue;
    at->set_caught(at->caught() + site.caught());
    if (IsHopeless(site.hard(), *at)) all->erase(at);
  }
}

// Averages go on changing.
void Halve(sites::File& file) {
  file.set_learners(file.learners() / 2);
  for (sites::Site& site : *file.mutable_sites()) site.set_caught(site.caught() / 2);
}

}  // namespace

// The thread is made now: later the user may have as many as may be.
SiteLibrary::SiteLibrary(std::string directory) : directory_(std::move(directory)), thread_([this] { Run(); }) {}

SiteLibrary::~SiteLibrary() {
  {
    absl::MutexLock lock(&mutex_);
    ends_ = true;
  }
  thread_.join();
}

void SiteLibrary::Fill(std::shared_ptr<const SessionMemories> memories, Known known) {
  // Before what is to be learned: its guests wait for it, in a way.
  Post(Turn::kFirst, [this, memories = std::move(memories), known] { FillNow(*memories, known); });
}

void SiteLibrary::Learn(std::shared_ptr<const SessionMemories> memories) {
  Post(Turn::kLast, [this, memories = std::move(memories)] { LearnNow(*memories); });
}

void SiteLibrary::Settle() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](SiteLibrary* self)
           ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) { return self->jobs_.empty() && !self->busy_; },
      this));
}

void SiteLibrary::Post(Turn turn, std::function<void()> job) {
  absl::MutexLock lock(&mutex_);
  jobs_.insert(turn == Turn::kFirst ? jobs_.begin() : jobs_.end(), std::move(job));
}

void SiteLibrary::Run() {
  while (true) {
    std::function<void()> job;
    bool idle = false;
    {
      absl::MutexLock lock(&mutex_);
      idle = jobs_.empty();
    }
    // Many sessions that end one after the other are written down once.
    if (idle) Save();
    {
      absl::MutexLock lock(&mutex_);
      busy_ = !jobs_.empty();
      mutex_.Await(absl::Condition(
          +[](SiteLibrary* self)
               ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) { return !self->jobs_.empty() || self->ends_; },
          this));
      if (jobs_.empty() && !changed_) return;
      if (jobs_.empty()) continue;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      busy_ = true;
    }
    if (!std::exchange(loaded_, true)) Load();
    job();
  }
}

void SiteLibrary::Load() {
  if (directory_.empty()) return;
  const absl::StatusOr<sites::Library> library = ReadLibrary(directory_);
  // One that is damaged, or of another version, is written anew.
  if (!library.ok()) return;
  for (const sites::File& file : library->files()) {
    if (gone_.count(file.key()) == 0) files_.try_emplace(file.key(), Entry{file, false});
  }
}

void SiteLibrary::Save() {
  if (!std::exchange(changed_, false) || directory_.empty()) return;
  // What another server has written meanwhile stays known.
  Load();
  Prune();
  sites::Library library;
  for (const auto& [key, entry] : files_) *library.add_files() = entry.file;
  // Where it fails it costs speed, and there is nobody to tell who could do something about it.
  WriteLibrary(directory_, library).IgnoreError();
}

void SiteLibrary::FillNow(const SessionMemories& memories, Known known) {
  if (known == Known::kAll) WriteLearned(memories);
  if (!own_libraries_.has_value()) own_libraries_ = OwnLibraries();
  for (const sites::File& file : *own_libraries_) WriteKnown(memories.reply, file);
}

void SiteLibrary::WriteLearned(const SessionMemories& memories) {
  std::vector<Entry*> latest;
  for (auto& [key, entry] : files_) latest.push_back(&entry);
  std::sort(latest.begin(), latest.end(),
            [](const Entry* a, const Entry* b) { return a->file.used() > b->file.used(); });
  // Each as soon as it is proven: guests run already.
  for (Entry* const entry : latest) {
    if (!entry->proven) {
      const Proof proof = prover_.Prove(entry->file);
      if (proof == Proof::kNone) changed_ = true;
      entry->proven = proof == Proof::kSome;
    }
    if (entry->proven) WriteKnown(memories.reply, entry->file);
  }
  // What is in no file any more.
  for (auto at = files_.begin(); at != files_.end();) {
    const bool goes = at->second.file.sites().empty();
    if (goes) gone_.insert(at->first);
    at = goes ? files_.erase(at) : std::next(at);
  }
}

void SiteLibrary::LearnNow(const SessionMemories& memories) {
  size_t added = 0;
  for (const sites::File& learned : LearnedIn(memories.request)) {
    const bool is_new = files_.count(learned.key()) == 0;
    if (is_new && added == kMostNewFiles) continue;
    const bool merged = Merge(learned);
    if (merged && is_new) ++added;
    changed_ |= merged;
  }
  Prune();
}

bool SiteLibrary::Merge(const sites::File& learned) {
  const auto found = files_.find(learned.key());
  const bool is_known = found != files_.end();
  // A key that is forged stays what it was.
  if (is_known && (!found->second.proven || found->second.file.identity() != learned.identity())) return false;
  // What is to be proven: of a file that is known, in that, whatever name it is given now.
  sites::File fresh = learned;
  if (is_known) fresh.set_path(found->second.file.path());
  if (fresh.path().empty() || fresh.path()[0] != '/') return false;
  auto* const claimed = fresh.mutable_sites();
  claimed->erase(std::remove_if(claimed->begin(), claimed->end(),
                                [&](const sites::Site& site) {
                                  if (!is_known) return false;
                                  const auto& known = found->second.file.sites();
                                  return std::any_of(known.begin(), known.end(),
                                                     [&](const sites::Site& other) { return IsSame(site, other); });
                                }),
                 claimed->end());
  bool proven = !claimed->empty() && prover_.Prove(fresh) == Proof::kSome;
  if (proven) {
    claimed->erase(std::remove_if(claimed->begin(), claimed->end(),
                                  [](const sites::Site& site) { return IsHopeless(site.hard(), site); }),
                   claimed->end());
    proven = !claimed->empty();
  }
  if (!is_known) {
    if (!proven) return false;
    fresh.set_used(absl::ToUnixNanos(absl::Now()));
    files_[fresh.key()] = {fresh, true};
    gone_.erase(fresh.key());
    return true;
  }
  sites::File& file = found->second.file;
  AddCounts(file, learned);
  if (proven) {
    for (const sites::Site& site : fresh.sites()) AddSite(file, site);
  }
  if (file.learners() > kMostLearners) Halve(file);
  return true;
}

// Of files that have changed, the one that is there now; and not too many.
void SiteLibrary::Prune() {
  struct Latest {
    uint64_t identity = 0;
    int64_t used = 0;
  };
  std::map<std::string, Latest> latest;
  for (const auto& [key, entry] : files_) {
    Latest& of_path = latest[entry.file.path()];
    if (of_path.identity == 0 || entry.file.used() >= of_path.used) {
      of_path = {entry.file.identity(), entry.file.used()};
    }
  }
  for (auto at = files_.begin(); at != files_.end();) {
    const bool stays = latest[at->second.file.path()].identity == at->second.file.identity();
    at = stays ? std::next(at) : files_.erase(at);
  }
  while (files_.size() > kMostFiles) {
    files_.erase(std::min_element(files_.begin(), files_.end(), [](const auto& a, const auto& b) {
      return a.second.file.used() < b.second.file.used();
    }));
  }
}

}  // namespace guise::server
