#include "server/launch/session_memory.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "proto/wire/layout.h"
#include "proto/wire/panic.h"
#include "proto/wire/version.h"

namespace guise::server {
namespace {

constexpr uint64_t kGroupBytes = uint64_t{wire::kGroups} * wire::kPageSize;

void WakeAll(const void* word) { syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

// Start of the process, in clock ticks since boot, and its state; false when it cannot be told.
// ABI: proc_pid_stat(5); the name in parentheses may hold anything, so the fields are counted from the last one.
bool ReadStat(pid_t pid, char* state, uint64_t* start_ticks) {
  char path[32];
  snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[1024];
  const ssize_t length = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (length <= 0) return false;
  text[length] = '\0';
  const char* at = strrchr(text, ')');
  if (at == nullptr || at[1] != ' ') return false;
  *state = at[2];
  constexpr int kStartField = 22;
  int field = 2;
  for (++at; *at != '\0' && field < kStartField; ++at) {
    if (*at == ' ') ++field;
  }
  *start_ticks = strtoull(at, nullptr, 10);
  return field == kStartField;
}

// Empty: none of a shim's.
std::string_view PanicKindName(uint32_t kind) {
  switch (static_cast<wire::PanicKind>(kind)) {
    case wire::PanicKind::kLoader:
      return "a program could not be loaded";
    case wire::PanicKind::kFault:
      return "the shim faulted";
    case wire::PanicKind::kCheck:
      return "the shim found itself broken";
    case wire::PanicKind::kProtocol:
      return "the server's answer cannot be obeyed";
    case wire::PanicKind::kNotice:
      return "notice";
    case wire::PanicKind::kNone:
      break;
  }
  return "";
}

}  // namespace

bool GuestLives(pid_t pid, uint64_t taken_at) {
  if (pid <= 0) return false;
  if (kill(pid, 0) != 0 && errno == ESRCH) return false;
  char state = 0;
  uint64_t start_ticks = 0;
  if (!ReadStat(pid, &state, &start_ticks))
    return kill(pid, 0) == 0 || errno != ESRCH;  // /proc hides it, or it is gone
  if (state == 'Z' || state == 'X') return false;
  const auto ticks_per_second = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return start_ticks * (1'000'000'000 / ticks_per_second) <= taken_at;
}

absl::StatusOr<SessionMemory> SessionMemory::Map(const Attachment& attachment) {
  SessionMemory memory;
  const bool keeper = static_cast<bool>(attachment.reply_keeper);
  absl::StatusOr<Mapping> request =
      Mapping::Map(attachment.request.get(), wire::kGroupsOffset, kGroupBytes, PROT_READ, "request memory");
  if (!request.ok()) return request.status();
  absl::StatusOr<Mapping> reply =
      Mapping::Map(keeper ? attachment.reply_keeper.get() : attachment.reply.get(), wire::kGroupsOffset, kGroupBytes,
                   keeper ? PROT_READ | PROT_WRITE : PROT_READ, "reply memory");
  if (!reply.ok()) return reply.status();
  absl::StatusOr<Mapping> panics = Mapping::Map(attachment.request.get(), wire::kPanicOffset,
                                                wire::kPanics * sizeof(wire::PanicRecord), PROT_READ, "panic records");
  if (!panics.ok()) return panics.status();
  memory.request_ = *std::move(request);
  memory.reply_ = *std::move(reply);
  memory.panics_ = *std::move(panics);
  const wire::ReplyHeader& header = memory.reply_group(0)->header;
  constexpr wire::AbiRange kOurs = {wire::kAbiMin, wire::kAbiMax};
  if (header.magic != wire::kReplyMagic || wire::Agree(kOurs, {header.abi_min, header.abi_max}) == 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("the server speaks ABI %d to %d, and this `guise` %d to %d; end the server with `guise server "
                        "stop` and start again with one version of both",
                        header.abi_min, header.abi_max, wire::kAbiMin, wire::kAbiMax));
  }
  return memory;
}

uint32_t SessionMemory::GroupsUsed() const {
  return std::min(request_group(0)->root.header.groups_used.Acquire(), wire::kGroups);
}

pid_t SessionMemory::AnyLivingGuest(pid_t except) const {
  const uint32_t groups = std::max(GroupsUsed(), 1u);
  for (uint32_t g = 0; g < groups; ++g) {
    for (uint32_t i = 0; i < wire::kProcessesPerGroup; ++i) {
      const wire::ProcessRecord& record = request_group(g)->processes[i];
      const uint64_t owner = record.owner.Acquire();
      if (!wire::IsHeld(owner, reply_group(g)->reclaimed_processes[i].Acquire())) continue;
      const auto pid = static_cast<pid_t>(wire::HolderOf(owner));
      if (pid != except && GuestLives(pid, record.taken_at.Relaxed())) return pid;
    }
  }
  return 0;
}

void SessionMemory::WakeWaitingGuests() const {
  const uint32_t groups = std::max(GroupsUsed(), 1u);
  for (uint32_t g = 0; g < groups; ++g) {
    for (uint32_t i = 0; i < wire::kSlotsPerGroup; ++i) {
      const uint64_t owner = request_group(g)->slots[i].run.owner.Acquire();
      if (!wire::IsHeld(owner, reply_group(g)->reclaimed_slots[i].Acquire())) continue;
      WakeAll(reply_group(g)->lines[i].answer.Address());
    }
  }
  WakeAll(request_group(0)->root.header.full.Address());
  WakeAll(reply_group(0)->keeper.server_alive.Address());
}

void SessionMemory::SetServerAlive(bool alive) { reply_group(0)->keeper.server_alive.Release(alive ? 1 : 0); }

void SessionMemory::RaiseGeneration() {
  wire::KeeperLine& line = reply_group(0)->keeper;
  line.generation.Release(line.generation.Relaxed() + 1);
}

wire::OnLoss SessionMemory::LossPolicy() const {
  return static_cast<wire::OnLoss>(reply_group(0)->published.on_loss.Acquire());
}

uint64_t SessionMemory::PanicCount() const { return request_group(0)->root.totals.panics.Acquire(); }

std::vector<std::string> SessionMemory::Panics(uint64_t from) const {
  std::vector<std::string> lines;
  // Notices of the same words: by these, the line of the first, and how many there are.
  std::map<std::string, std::pair<size_t, int>> noticed;
  const uint64_t count = PanicCount();
  if (count - from > wire::kPanics) from = count - wire::kPanics;
  for (uint64_t i = from; i < count; ++i) {
    const wire::PanicRecord& record = panics_.As<const wire::PanicRecord>()[i % wire::kPanics];
    const uint32_t kind = record.kind.Acquire();
    if (PanicKindName(kind).empty()) continue;  // being written, or a guest's lie
    char text[sizeof(record.text) + 1];
    memcpy(text, record.text, sizeof(record.text));
    text[sizeof(record.text)] = '\0';
    for (char* c = text; *c != '\0'; ++c) {
      if (isprint(static_cast<unsigned char>(*c)) == 0) *c = '?';
    }
    const bool notice = kind == static_cast<uint32_t>(wire::PanicKind::kNotice);
    if (notice) {
      const auto place = noticed.try_emplace(text, lines.size(), 0).first;
      if (++place->second.second > 1) continue;
    }
    std::string line =
        notice ? absl::StrFormat("process %d: %s", record.pid, text)
               : absl::StrFormat("process %d, thread %d: %s: %s", record.pid, record.tid, PanicKindName(kind), text);
    if (record.error != 0) absl::StrAppendFormat(&line, " (error %d)", static_cast<int64_t>(record.error));
    if (record.signal != 0) {
      absl::StrAppendFormat(&line, " (signal %d at rip %#x, rsp %#x, address %#x)", record.signal, record.rip,
                            record.rsp, record.address);
    }
    lines.push_back(std::move(line));
  }
  for (const auto& [text, place] : noticed) {
    const auto [line, times] = place;
    if (times > 1) absl::StrAppendFormat(&lines[line], " (%d times)", times);
  }
  return lines;
}

}  // namespace guise::server
