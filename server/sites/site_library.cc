#include "server/sites/site_library.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "proto/wire/book.h"
#include "server/sites/elf_text.h"
#include "server/sites/library_file.h"
#include "server/sites/session_book.h"

namespace guise::server {
namespace {

constexpr size_t kMostFiles = 256;
// Averages go on changing: beyond so many, half of the past is forgotten.
constexpr uint64_t kMostLearners = 4096;

bool IsSame(const sites::Site& a, const sites::Site& b) {
  return a.offset() == b.offset() && a.nr() == b.nr() && a.text() == b.text();
}

// Leaves the sites that are in the file. False: none are.
bool Prove(sites::File& file) {
  const std::optional<ElfText> text = ElfText::Open(file.path(), file.identity());
  auto* const all = file.mutable_sites();
  if (!text.has_value()) all->Clear();
  all->erase(std::remove_if(all->begin(), all->end(),
                            [&](const sites::Site& site) { return !text->HasSyscall(site.offset(), site.text()); }),
             all->end());
  return !all->empty();
}

}  // namespace

SiteLibrary::SiteLibrary(std::string directory) : directory_(std::move(directory)) {}

SiteLibrary::~SiteLibrary() {
  std::thread thread;
  {
    absl::MutexLock lock(&mutex_);
    ends_ = true;
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

void SiteLibrary::Fill(std::shared_ptr<const SessionMemories> memories) {
  Post([this, memories = std::move(memories)] { FillNow(*memories); });
}

void SiteLibrary::Learn(std::shared_ptr<const SessionMemories> memories) {
  Post([this, memories = std::move(memories)] { LearnNow(*memories); });
}

void SiteLibrary::Settle() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](SiteLibrary* self)
           ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) { return self->jobs_.empty() && !self->busy_; },
      this));
}

void SiteLibrary::Post(std::function<void()> job) {
  absl::MutexLock lock(&mutex_);
  jobs_.push_back(std::move(job));
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
}

void SiteLibrary::Run() {
  while (true) {
    std::function<void()> job;
    {
      absl::MutexLock lock(&mutex_);
      busy_ = false;
      mutex_.Await(absl::Condition(
          +[](SiteLibrary* self)
               ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) { return !self->jobs_.empty() || self->ends_; },
          this));
      if (jobs_.empty()) return;
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
  for (const sites::File& file : library->files()) files_[file.identity()].file = file;
}

void SiteLibrary::Save() const {
  if (directory_.empty()) return;
  sites::Library library;
  for (const auto& [identity, entry] : files_) *library.add_files() = entry.file;
  // It costs speed, and there is nobody to tell who could do something about it.
  WriteLibrary(directory_, library).IgnoreError();
}

void SiteLibrary::FillNow(const SessionMemories& memories) {
  std::vector<Entry*> latest;
  for (auto& [identity, entry] : files_) latest.push_back(&entry);
  std::sort(latest.begin(), latest.end(),
            [](const Entry* a, const Entry* b) { return a->file.used() > b->file.used(); });
  // Each as soon as it is proven: guests run already.
  for (Entry* const entry : latest) {
    entry->proven = entry->proven || Prove(entry->file);
    if (entry->proven) WriteKnown(memories.reply, entry->file);
  }
  // What is in no file any more.
  for (auto at = files_.begin(); at != files_.end();) at = at->second.proven ? std::next(at) : files_.erase(at);
}

void SiteLibrary::LearnNow(const SessionMemories& memories) {
  bool changed = false;
  for (const sites::File& learned : LearnedIn(memories.request)) changed |= Merge(learned);
  if (!changed) return;
  Prune();
  Save();
}

bool SiteLibrary::Merge(const sites::File& learned) {
  const auto found = files_.find(learned.identity());
  sites::File fresh = learned;  // what has to be proven
  auto* const claimed = fresh.mutable_sites();
  if (found != files_.end()) {
    const auto& known = found->second.file.sites();
    claimed->erase(std::remove_if(claimed->begin(), claimed->end(),
                                  [&](const sites::Site& site) {
                                    return std::any_of(known.begin(), known.end(),
                                                       [&](const sites::Site& other) { return IsSame(site, other); });
                                  }),
                   claimed->end());
  }
  claimed->erase(std::remove_if(claimed->begin(), claimed->end(),
                                [](const sites::Site& site) { return site.caught() == kStruckOut; }),
                 claimed->end());
  const bool proven = !claimed->empty() && Prove(fresh);
  if (found == files_.end() && !proven) return false;

  Entry& entry = files_[learned.identity()];
  sites::File& file = entry.file;
  file.set_identity(learned.identity());
  if (found == files_.end()) {
    file.set_path(learned.path());
    entry.proven = true;
  }
  file.set_learners(file.learners() + learned.learners());
  file.set_used(absl::ToUnixSeconds(absl::Now()));
  auto* const all = file.mutable_sites();
  for (const sites::Site& site : learned.sites()) {
    const auto at = std::find_if(all->begin(), all->end(), [&](const sites::Site& one) { return IsSame(one, site); });
    if (at == all->end()) continue;
    if (site.caught() == kStruckOut) {
      all->erase(at);
    } else {
      at->set_caught(at->caught() + site.caught());
    }
  }
  for (const sites::Site& site : fresh.sites()) {
    if (proven && static_cast<uint32_t>(all->size()) < wire::kBookSites) *all->Add() = site;
  }
  if (file.learners() > kMostLearners) {
    file.set_learners(file.learners() / 2);
    for (sites::Site& site : *all) site.set_caught(site.caught() / 2);
  }
  return true;
}

// Of files that have changed, the one that is there now; and not too many.
void SiteLibrary::Prune() {
  std::map<std::string, uint64_t> latest;
  for (auto at = files_.begin(); at != files_.end();) {
    const auto [other, is_first] = latest.try_emplace(at->second.file.path(), at->first);
    if (is_first) {
      ++at;
      continue;
    }
    const bool is_newer = at->second.file.used() >= files_[other->second].file.used();
    const uint64_t goes = is_newer ? std::exchange(other->second, at->first) : at->first;
    ++at;
    files_.erase(goes);
  }
  while (files_.size() > kMostFiles) {
    files_.erase(std::min_element(files_.begin(), files_.end(), [](const auto& a, const auto& b) {
      return a.second.file.used() < b.second.file.used();
    }));
  }
}

}  // namespace guise::server
