#include "server/store/store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/wire/version.h"

namespace guise::server {

namespace {

#ifndef MFD_NOEXEC_SEAL
constexpr unsigned MFD_NOEXEC_SEAL = 8;  // since Linux 6.3
#endif

absl::Status Exhausted(const char* what, uint64_t size) {
  return absl::ResourceExhaustedError(
      absl::StrCat("store memory of ", size >> 20, " MiB: ", what, ": ", strerror(errno),
                   "; end other sessions, or raise the limits of fds and memory that the server was "
                   "started with (`guise server stop` ends it)"));
}

KeptGroups KeptGroupsOf(const wire::OverlayValue& value) {
  if ((value.fields & wire::kOverlaySetGroup) != 0) return KeptGroups::kInherited;
  return (value.fields & wire::kOverlayDirectory) != 0 ? KeptGroups::kOfDirectory : KeptGroups::kNone;
}

bool IsBlockDevice(const wire::OverlayValue& value) {
  return (value.fields & wire::kOverlayType) != 0 && S_ISBLK(value.type);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Create(Options options) {
  if (options.size <= wire::kStoreHeapOffset || options.size % wire::kPageSize != 0) {
    return absl::InvalidArgumentError(absl::StrCat("store memory of ", options.size,
                                                   " bytes: must be whole pages, more than ", wire::kStoreHeapOffset));
  }
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = memfd_create("guise-store", kFlags | MFD_NOEXEC_SEAL);
  if (fd < 0 && errno == EINVAL) fd = memfd_create("guise-store", kFlags);
  if (fd < 0) return Exhausted("memfd_create", options.size);
  if (ftruncate(fd, static_cast<off_t>(options.size)) != 0 ||
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    const absl::Status status = Exhausted("sizing", options.size);
    close(fd);
    return status;
  }
  void* memory = mmap(nullptr, options.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    const absl::Status status = Exhausted("mmap", options.size);
    close(fd);
    return status;
  }
  return std::unique_ptr<Store>(new Store(std::move(options), fd, static_cast<char*>(memory)));
}

Store::Store(Options options, int fd, char* memory)
    : options_(std::move(options)),
      fd_(fd),
      memory_(memory),
      inodes_(absl::MakeSpan(memory, wire::kStoreHeapOffset), wire::kStoreInodeOffset, header_journal_),
      published_(options_.reply, wire::kTablesOffset, published_journal_) {
  wire::StoreHeader& head = header();
  head.abi_min = wire::kAbiMin;
  head.abi_max = wire::kAbiMax;
  head.session = options_.session;
  head.features = wire::kFeatures;
  head.size = options_.size;
  head.server_generation.StoreRelaxed(1);
  head.host_ids.StoreRelaxed(uint64_t{options_.owner_uid} << 32 | options_.owner_gid);
  wire::ReleaseFence();
  head.magic = wire::kStoreMagic;
}

Store::~Store() {
  munmap(memory_, options_.size);
  close(fd_);
}

// SAFETY, of all four: the size was checked by Create(), the indexes are the callers' duty.
wire::StoreHeader& Store::header() const { return *reinterpret_cast<wire::StoreHeader*>(memory_); }

wire::SlotLog& Store::log(uint32_t slot) const {
  return reinterpret_cast<wire::SlotLog*>(memory_ + wire::kStoreLogOffset)[slot];
}

wire::StoredIdentity& Store::identity(uint32_t process) const {
  return reinterpret_cast<wire::StoredIdentity*>(memory_ + wire::kStoreIdentityOffset)[process];
}

void Store::NoteEpoch(uint32_t epoch, std::string_view stack) {
  wire::StoreHeader& head = header();
  const size_t length = std::min<size_t>(stack.size(), wire::kStackNameSize - 1);
  std::memset(head.stack, 0, sizeof(head.stack));
  std::memcpy(head.stack, stack.data(), length);
  head.epoch.Release(epoch);
}

void Store::LogStep(uint32_t slot, uint64_t key, uint64_t result) {
  const uint32_t step = wire::StepOf(key);
  if (step == 0 || step > wire::kLoggedSteps) return;
  wire::LoggedStep& logged = log(slot).steps[step - 1];
  logged.result.StoreRelaxed(result);
  logged.key.Release(key);
}

// --- Tables

void Store::HeaderJournal::Moved(const InodeTable::Place& current, const InodeTable::Place& old) {
  wire::StoreHeader& head = store_.header();
  if (old.log2 == 0) {
    head.inode_old_log2.Release(0);
  } else {
    head.inode_old_offset.Release(old.offset);
    head.inode_old_log2.Release(old.log2);
  }
  // Between these two a successor finds a new table that is half as large as meant: empty, and right.
  head.inode_offset.Release(current.offset);
  head.inode_log2.Release(current.log2);
}

void Store::HeaderJournal::Migrated(uint64_t migrated) { store_.header().inode_migrated.Release(migrated); }

void Store::HeaderJournal::Counted(uint64_t entries) { store_.header().inode_count.Release(entries); }

void Store::PublishedJournal::Moved(const InodeTable::Place& current, const InodeTable::Place& old) {
  if (!store_.options_.publish_overlays) return;
  store_.options_.publish_overlays({current.offset, old.offset, current.log2, old.log2});
}

// --- Identities

bool Store::Encode(const api::Identity& identity, uint32_t process, wire::IdentityValue* value) {
  *value = {};
  const api::Ids* const ids[] = {&identity.uid, &identity.gid};
  uint32_t* const words[] = {value->uid, value->gid};
  for (int i = 0; i < 2; ++i) {
    words[i][0] = ids[i]->real;
    words[i][1] = ids[i]->effective;
    words[i][2] = ids[i]->saved;
    words[i][3] = ids[i]->filesystem;
  }
  value->permitted = identity.capabilities.permitted;
  value->effective = identity.capabilities.effective;
  value->inheritable = identity.capabilities.inheritable;
  const size_t count = identity.groups.size();
  value->group_count = static_cast<uint32_t>(count);
  if (count <= wire::kInlineGroups) {
    std::copy(identity.groups.begin(), identity.groups.end(), value->groups);
    return true;
  }
  // Lists in the heap do not change once written: processes share them, and most changes are not of groups.
  const wire::IdentityValue& before = this->identity(process).value;
  for (const wire::IdentityValue* known : {&before, static_cast<const wire::IdentityValue*>(&last_list_)}) {
    if (known->group_count != count || !std::equal(identity.groups.begin(), identity.groups.end(), GroupsOf(*known))) {
      continue;
    }
    value->groups_offset = known->groups_offset;
    return true;
  }
  const std::optional<uint64_t> place = Take(count * sizeof(uint32_t));
  if (!place.has_value()) return false;
  std::memcpy(memory_ + wire::kStoreHeapOffset + *place, identity.groups.data(), count * sizeof(uint32_t));
  value->groups_offset = static_cast<uint32_t>(*place / 8);
  last_list_ = *value;
  return true;
}

std::optional<uint64_t> Store::Take(uint64_t bytes) {
  const uint64_t used = header().heap_used.Relaxed();
  bytes = (bytes + 7) & ~uint64_t{7};
  if (bytes > options_.size - wire::kStoreHeapOffset - used) return std::nullopt;
  header().heap_used.Release(used + bytes);
  return used;
}

const uint32_t* Store::GroupsOf(const wire::IdentityValue& value) const {
  if (value.group_count <= wire::kInlineGroups) return value.groups;
  return reinterpret_cast<const uint32_t*>(memory_ + wire::kStoreHeapOffset + uint64_t{value.groups_offset} * 8);
}

api::Identity Store::Decode(const wire::IdentityValue& value) const {
  api::Identity identity;
  identity.uid = {value.uid[0], value.uid[1], value.uid[2], value.uid[3]};
  identity.gid = {value.gid[0], value.gid[1], value.gid[2], value.gid[3]};
  identity.capabilities = {value.permitted, value.effective, value.inheritable};
  const uint32_t* groups = GroupsOf(value);
  identity.groups.assign(groups, groups + value.group_count);
  return identity;
}

std::optional<KnownIdentity> Store::FindIdentity(uint32_t process, uint32_t generation) const {
  const wire::StoredIdentity& stored = identity(process);
  if (generation == 0 || stored.generation.Acquire() != generation) return std::nullopt;
  return KnownIdentity{Decode(stored.value), stored.execs.Relaxed()};
}

bool Store::Inherit(uint32_t process, uint32_t generation, const KnownIdentity& inherited) {
  wire::Change change = {};
  change.kind = static_cast<uint32_t>(wire::ChangeKind::kIdentity);
  change.process = process;
  change.generation = generation;
  change.execs = inherited.execs;
  if (!Encode(inherited.identity, process, &change.identity)) return false;
  Apply(change);
  return true;
}

// --- Extended attributes

// SAFETY: `place` is Take()'s.
wire::AttributeBlock& Store::block(uint64_t place) const {
  return *reinterpret_cast<wire::AttributeBlock*>(memory_ + wire::kStoreHeapOffset + place);
}

api::KeptAttributes Store::FindAttributes(const wire::InodeKey& key) const {
  const auto found = attributes_.find(key);
  if (found == attributes_.end()) return {};
  const wire::AttributeBlock& kept = block(found->second);
  const char* const names = reinterpret_cast<const char*>(&kept + 1);
  return {{names, kept.names}, {names + kept.names, kept.values}};
}

std::optional<uint64_t> Store::Encode(const AttributeChange& change) {
  // Those of the file but the one that changes, which is put behind them.
  std::string names;
  std::string values;
  const auto add = [&](std::string_view name, std::string_view value) {
    names.append(name).push_back('\0');
    const auto size = static_cast<uint32_t>(value.size());
    values.append(reinterpret_cast<const char*>(&size), sizeof(size)).append(value);
  };
  const api::KeptAttributes before = FindAttributes(change.key);
  for (std::string_view left = before.names; !left.empty();) {
    const std::string_view name = left.substr(0, left.find('\0'));
    if (name != change.name) add(name, *before.Find(name));
    left.remove_prefix(name.size() + 1);
  }
  if (change.value.has_value()) add(change.name, *change.value);
  if (names.size() + values.size() > kMostAttributes) return std::nullopt;
  const uint64_t bytes = sizeof(wire::AttributeBlock) + names.size() + values.size();
  // What is kept of a file once more takes more room; a part is left for identities.
  const uint64_t heap = options_.size - wire::kStoreHeapOffset;
  if (header().heap_used.Relaxed() + bytes > heap / 4 * 3) return std::nullopt;
  const std::optional<uint64_t> place = Take(bytes);
  if (!place.has_value()) return std::nullopt;
  wire::AttributeBlock& kept = block(*place);
  kept.key = change.key;
  kept.names = static_cast<uint32_t>(names.size());
  kept.values = static_cast<uint32_t>(values.size());
  std::memcpy(&kept + 1, names.data(), names.size());
  std::memcpy(reinterpret_cast<char*>(&kept + 1) + names.size(), values.data(), values.size());
  return place;
}

// --- Changes

wire::OverlayValue Store::After(const FileChange& change, absl::Span<const wire::Change> earlier) const {
  wire::OverlayValue value = inodes_.Find(change.key).value_or(wire::OverlayValue{});
  for (const wire::Change& other : earlier) {
    if (other.kind == static_cast<uint32_t>(wire::ChangeKind::kInode) && other.inode.key == change.key) {
      value = other.inode.value;
    }
  }
  if (change.uid.has_value()) {
    value.fields |= wire::kOverlayUid;
    value.uid = *change.uid;
  }
  if (change.gid.has_value()) {
    value.fields |= wire::kOverlayGid;
    value.gid = *change.gid;
    if (S_ISDIR(change.mode)) value.fields |= wire::kOverlayDirectory;
    if (S_ISDIR(change.mode) && (change.mode & S_ISGID) != 0) value.fields |= wire::kOverlaySetGroup;
  }
  if (change.type.has_value()) {
    value.fields |= wire::kOverlayType;
    value.type = *change.type;
  }
  if (change.rdev.has_value()) {
    value.fields |= wire::kOverlayRdev;
    value.rdev = *change.rdev;
  }
  return value;
}

bool Store::Reserve(absl::Span<const PendingChange> changes) {
  // The published table first: its memory is the smaller.
  for (InodeTable* table : {&published_, &inodes_}) {
    uint32_t entries = 0;
    for (const PendingChange& change : changes) {
      const auto* file = std::get_if<FileChange>(&change);
      if (file != nullptr && table->NeedsEntry(file->key)) ++entries;
    }
    if (entries != 0 && !table->Reserve(entries)) return false;
  }
  return true;
}

int Store::Commit(uint32_t slot, uint64_t sequence, uint64_t result, absl::Span<const PendingChange> changes) {
  if (changes.size() > wire::kIntentChanges || !Reserve(changes)) return -ENOSPC;
  wire::SlotLog& intent = log(slot);
  for (size_t i = 0; i < changes.size(); ++i) {
    wire::Change& change = intent.change[i];
    change = {};
    if (const auto* file = std::get_if<FileChange>(&changes[i])) {
      change.kind = static_cast<uint32_t>(wire::ChangeKind::kInode);
      change.inode.key = file->key;
      change.inode.value = After(*file, absl::MakeConstSpan(intent.change, i));
    } else if (const auto* attribute = std::get_if<AttributeChange>(&changes[i])) {
      const std::optional<uint64_t> place = Encode(*attribute);
      if (!place.has_value()) return -ENOSPC;
      change.kind = static_cast<uint32_t>(wire::ChangeKind::kAttributes);
      change.block = *place;
    } else {
      const IdentityChange& identity = std::get<IdentityChange>(changes[i]);
      change.kind = static_cast<uint32_t>(wire::ChangeKind::kIdentity);
      change.process = identity.process;
      change.generation = identity.generation;
      change.execs = identity.execs;
      if (!Encode(identity.identity, identity.process, &change.identity)) return -ENOSPC;
    }
  }
  const uint64_t key = wire::Key(sequence, 0);
  intent.changes.StoreRelaxed(static_cast<uint32_t>(changes.size()));
  intent.result.StoreRelaxed(result);
  intent.commit.Release(key);
  for (size_t i = 0; i < changes.size(); ++i) Apply(intent.change[i]);
  intent.applied.Release(key);
  return 0;
}

// Idempotent: a successor applies a committed intent again.
void Store::Apply(const wire::Change& change) {
  switch (static_cast<wire::ChangeKind>(change.kind)) {
    case wire::ChangeKind::kNone:
      return;
    case wire::ChangeKind::kInode:
      inodes_.Put(change.inode.key, change.inode.value);
      published_.Put(change.inode.key, change.inode.value);
      past_.groups = std::max(past_.groups, KeptGroupsOf(change.inode.value));
      past_.keeps_block_devices |= IsBlockDevice(change.inode.value);
      return;
    case wire::ChangeKind::kAttributes: {
      wire::AttributeBlock& kept = block(change.block);
      const uint64_t last = header().attributes.Relaxed();
      if (last != change.block + 1) {
        kept.before.StoreRelaxed(last);
        header().attributes.Release(change.block + 1);
      }
      attributes_[kept.key] = change.block;
      past_.keeps_attributes = true;
      return;
    }
    case wire::ChangeKind::kIdentity: {
      wire::StoredIdentity& stored = identity(change.process);
      stored.value = change.identity;
      stored.execs.StoreRelaxed(change.execs);
      stored.generation.Release(change.generation);
      past_.diverged = true;
      return;
    }
  }
}

}  // namespace guise::server
