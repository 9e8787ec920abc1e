// A guest in the test's own process (or in a child that it forks): maps a session's memories as a shim does, holds
// records, posts calls and obeys the answers. Sound by default; tests that lie write to the memory directly.
//
// Thread safety: GuestMemory's words are Cells, one TestThread is one thread's.
#ifndef GUISE_SERVER_CHANNEL_TESTING_GUEST_H_
#define GUISE_SERVER_CHANNEL_TESTING_GUEST_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proto/wire/published.h"
#include "proto/wire/request.h"
#include "proto/wire/slot.h"

namespace guise::server::testing {

// The two memories, as a guest maps them.
class GuestMemory {
 public:
  // The fds stay the caller's. Fails the test by abort() when they cannot be mapped.
  GuestMemory(int request_fd, int reply_fd);
  ~GuestMemory();
  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;

  char* request() const { return request_; }
  wire::RequestGroup& Group(uint32_t group) const;
  const wire::ReplyGroup& Reply(uint32_t group) const;
  wire::RequestSlot& Slot(uint32_t slot) const;
  const wire::ReplyLine& Line(uint32_t slot) const;
  wire::ThreadRecord& Thread(uint32_t thread) const;
  wire::ProcessRecord& Process(uint32_t process) const;
  char* Inbound(uint32_t slot) const { return request_ + wire::PayloadOffset(slot); }
  const char* Outbound(uint32_t slot) const { return reply_ + wire::PayloadOffset(slot); }
  const wire::Published& Page() const { return Reply(0).published; }

  bool HoldsSlot(uint32_t slot) const;
  bool HoldsThread(uint32_t thread) const;
  bool HoldsProcess(uint32_t process) const;

 private:
  char* request_;
  char* reply_;
};

// A process record.
class TestProcess {
 public:
  // Takes the first free record, for the calling process or in the name of another. Gives nothing back: see GiveBack().
  explicit TestProcess(const GuestMemory& memory, uint32_t parent = 0, uint32_t parent_generation = 0,
                       pid_t pid = getpid());
  uint32_t record() const { return record_; }
  uint64_t owner() const { return owner_; }
  void GiveBack();

 private:
  const GuestMemory& memory_;
  uint32_t record_ = 0;
  uint64_t owner_ = 0;
};

// A thread and its calls.
class TestThread {
 public:
  TestThread(const GuestMemory& memory, const TestProcess& process);
  uint32_t record() const { return record_; }
  // Adds the counters to the session's totals.
  void GiveBack();

  // One argument: a value, or bytes that the shim would have copied.
  struct Argument {
    Argument(uint64_t v) : value(v) {}                                              // NOLINT: as in a call
    Argument(const char* string) : copy(string, std::string(string).size() + 1) {}  // NOLINT
    uint64_t value = 0;
    std::string copy;
  };
  // Does native calls of Run and Tail. The default makes the syscall, with payload addresses put in.
  using Native = std::function<uint64_t(uint32_t nr, const uint64_t (&args)[6])>;

  struct Result {
    uint64_t value = 0;
    wire::Verb verb = wire::Verb::kNone;  // the last answer's
    int runs = 0;
    std::vector<std::string> copied_out;  // by its CopyOut words, in their order
    friend bool operator==(const Result&, const Result&) = default;
  };
  // A whole conversation. Counts the call under `epoch`'s parity.
  Result Call(uint32_t nr, const std::vector<Argument>& args = {});

  // --- Its parts, for those that die in between.
  uint32_t Take();  // a slot; waits while all are taken
  // Writes a call of the published epoch and its sequence, and rings; returns the sequence.
  uint64_t Post(uint32_t slot, uint32_t nr, const std::vector<Argument>& args = {});
  // The same without a ring.
  uint64_t Write(uint32_t slot, uint32_t nr, const std::vector<Argument>& args = {});
  // Call() in a slot that is held, and stays so.
  Result Converse(uint32_t slot, uint32_t nr, const std::vector<Argument>& args = {});
  void Await(uint32_t slot, uint64_t key);
  void Ring(uint32_t slot);
  void Free(uint32_t slot);
  bool TryTake(uint32_t* slot);

  void set_native(Native native) { native_ = std::move(native); }
  void set_epoch(uint32_t epoch) { epoch_ = epoch; }  // 0: the published one

 private:
  uint64_t Obey(uint32_t slot, uint32_t* nr);

  const GuestMemory& memory_;
  uint32_t record_ = 0;
  uint64_t owner_ = 0;
  uint32_t epoch_ = 0;
  Native native_;
};

}  // namespace guise::server::testing

#endif  // GUISE_SERVER_CHANNEL_TESTING_GUEST_H_
