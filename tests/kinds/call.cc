#include "tests/kinds/call.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "proto/syscall/extent.h"
#include "tests/kinds/state.h"

namespace guise::kinds {
namespace {

using syscall::Access;
using syscall::Arg;
using syscall::ArgKind;
using syscall::Row;

constexpr uint64_t kAreas = 0x510000000000;
constexpr uint64_t kStride = 0x100000;
constexpr size_t kPage = 4096;
constexpr size_t kAreaBytes = 4 * kPage;
constexpr size_t kMiddle = 2 * kPage;
constexpr uint64_t kHole = kAreas + 0x900000;
constexpr uint64_t kNone = kAreas + 0xa00000;
constexpr uint64_t kKernel = 0xffff888000000000;
constexpr char kFill = '\xc5';
constexpr char kOtherFill = '\x3a';

// What a child tells its parent beside the areas, which both see.
struct Shared {
  volatile bool done;
  volatile long result;
  volatile int mailbox, semaphore;
  size_t extent[syscall::kMaxArgs];
  size_t at[syscall::kMaxArgs];
  bool used[syscall::kMaxArgs];
  char before[syscall::kMaxArgs][kAreaBytes];
};
Shared* shared;

char* Area(size_t position) { return reinterpret_cast<char*>(kAreas + position * kStride); }
char* Inner() { return reinterpret_cast<char*>(kInner); }

void MapAt(uint64_t address, size_t bytes, int protection) {
  void* const at = reinterpret_cast<void*>(address);
  if (mmap(at, bytes, protection, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at) return;
  perror("mmap");
  _exit(70);
}

// The count or length that suits what links to it.
int64_t DefaultSize(const Row& row, size_t position) {
  for (const Arg& arg : row.Args()) {
    if (!arg.has_link() || arg.link != position) continue;
    switch (arg.kind) {
      case ArgKind::SigSetIn:
      case ArgKind::SigSetOut:
        return 8;
      case ArgKind::ArrayIn:
      case ArgKind::ArrayOut:
      case ArgKind::ArrayInOut:
        return 1;
      default:
        return 64;
    }
  }
  return 0;
}

// What a kind suggests for an argument of which the recipe says nothing.
Value Default(const Row& row, size_t position) {
  switch (row.args[position].kind) {
    case ArgKind::Fd:
      return F(Fds::File);
    case ArgKind::DirFd:
      return N(AT_FDCWD);
    case ArgKind::Path:
      return S("file");
    case ArgKind::Str:
      return S("text");
    case ArgKind::Uid:
      return N(getuid());
    case ArgKind::Gid:
      return N(getgid());
    case ArgKind::Size:
    case ArgKind::SSize:
    case ArgKind::Size32:
    case ArgKind::SSize32:
      return N(DefaultSize(row, position));
    default:
      return row.args[position].access() == Access::Opaque ? N(0) : Value{};
  }
}

pid_t MakeChild() {
  const pid_t child = fork();
  if (child == 0) _exit(3);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  return child;
}

// The content that a value puts behind its pointer; nothing for values that are no pointers.
std::string ContentOf(const Value& value) {
  const iovec vector{Inner(), 16};
  if (value.kind == Value::Kind::Bytes) return value.bytes;
  if (value.kind == Value::Kind::Iovec) return D(vector).bytes;
  if (value.kind != Value::Kind::Message && value.kind != Value::Kind::Messages) return {};
  memcpy(Inner() + kPage, &vector, sizeof(vector));
  mmsghdr message{};
  message.msg_hdr.msg_iov = reinterpret_cast<iovec*>(Inner() + kPage);
  message.msg_hdr.msg_iovlen = 1;
  return value.kind == Value::Kind::Message ? D(message.msg_hdr).bytes : D(message).bytes;
}

int64_t NumberOf(const Value& value) {
  switch (value.kind) {
    case Value::Kind::Fd:
      return kinds::NumberOf(static_cast<Fds>(value.number));
    case Value::Kind::Self:
      return getpid();
    case Value::Kind::Child:
      return MakeChild();
    case Value::Kind::Address:
      return static_cast<int64_t>(kInner);
    case Value::Kind::Mailbox:
      shared->mailbox = MakeMailbox();
      return shared->mailbox;
    case Value::Kind::Semaphore:
      shared->semaphore = MakeSemaphore();
      return shared->semaphore;
    default:
      return value.number;
  }
}

bool IsPointer(const Arg& arg, const Value& value) {
  if (value.kind == Value::Kind::Number) return false;
  return arg.access() == Access::Opaque ? value.kind == Value::Kind::Bytes : arg.is_pointer();
}

// Values of all arguments; those left out by their kinds.
std::vector<Value> ValuesOf(const Recipe& recipe, const Row& row) {
  std::vector<Value> values = recipe.values;
  values.resize(row.Arity());
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].kind == Value::Kind::Auto) values[i] = Default(row, i);
  }
  return values;
}

// In the child: lays out memory for argument `i` and gives the pointer.
uint64_t Lay(const Recipe& recipe, size_t i, const std::string& content, size_t extent, const Scenario& scenario) {
  const bool here = scenario.position == i;
  const How how = scenario.how;
  const Access access = AccessOf(recipe, i);
  const bool roomy = how == How::Roomy || how == How::Poison || how == How::Dirty || how == How::Across ||
                     how == How::Large || access == Access::Opaque;
  const bool other = (how == How::Poison && access == Access::Out) || (how == How::Garbage && here);
  memset(Area(i), other ? kOtherFill : kFill, kAreaBytes);
  size_t at = roomy ? kMiddle : kAreaBytes - extent;
  if (how == How::Across) at -= std::min(extent, kPage) / 2;
  if (how == How::Short && here) ++at;
  const size_t room = roomy ? kAreaBytes - at : std::min(extent, kAreaBytes - at);
  if (!other) {
    if (access != Access::Out) memset(Area(i) + at, 0, std::min(extent, room));
    memcpy(Area(i) + at, content.data(), std::min(content.size(), room));
  }
  shared->used[i] = true;
  shared->extent[i] = extent;
  shared->at[i] = at;
  memcpy(shared->before[i], Area(i), kAreaBytes);
  if ((!roomy && access == Access::In) || (how == How::Fixed && here)) mprotect(Area(i), kAreaBytes, PROT_READ);
  if (here && how == How::Null) return 0;
  if (here && how == How::Hole) return kHole;
  if (here && how == How::None) return kNone;
  if (here && how == How::Kernel) return kKernel;
  return kAreas + i * kStride + at;
}

size_t ExtentOf(const Row& row, size_t i, const std::vector<std::string>& contents, const uint64_t (&args)[6]) {
  const syscall::Extent extent = syscall::ExtentOf(row, i, args);
  if (extent.source == syscall::Extent::Source::Registers) return std::min<uint64_t>(extent.bytes, kMiddle);
  if (!contents[i].empty()) return contents[i].size();
  if (row.args[i].has_link() && contents[row.args[i].link].size() >= 4) {
    uint32_t length;
    memcpy(&length, contents[row.args[i].link].data(), sizeof(length));
    return length;
  }
  return std::max<size_t>(extent.bytes, 32);
}

// Sets what the kernel does not look at.
void Dirty(const Row& row, const std::vector<Value>& values, uint64_t (&args)[6]) {
  for (size_t i = 0; i < syscall::kMaxArgs; ++i) {
    const bool exists = i < row.Arity();
    if (exists && (row.args[i].is_pointer() || IsPointer(row.args[i], values[i]))) continue;
    const uint32_t width = exists ? syscall::WidthOf(row.args[i].kind) : 0;
    if (width < 64) args[i] |= ~uint64_t{0} << width;
  }
}

[[noreturn]] void PerformAlone(const Recipe& recipe, const Row& row, const Scenario& scenario) {
  const rlimit cores{0, 0};
  setrlimit(RLIMIT_CORE, &cores);
  EnterState();
  memset(Inner(), 0, kInnerBytes);
  strcpy(Inner(), "the inner buffer's text");
  const std::vector<Value> values = ValuesOf(recipe, row);
  for (const Value& value : values) {
    if (value.kind == Value::Kind::Fd) Open(static_cast<Fds>(value.number));
  }
  if (row.nr == syscall::Nr::select || row.nr == syscall::Nr::pselect6 || row.nr == syscall::Nr::poll ||
      row.nr == syscall::Nr::ppoll) {
    Open(Fds::Event);  // named inside a structure
  }
  if (row.nr == syscall::Nr::landlock_add_rule) Open(Fds::Path);
  uint64_t args[6] = {};
  std::vector<std::string> contents(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (IsPointer(row.args[i], values[i])) {
      contents[i] = ContentOf(values[i]);
      if (scenario.position == i && (scenario.how == How::Inner || scenario.how == How::Edge)) {
        const uint64_t pointer = scenario.how == How::Inner ? kHole : kInner + kInnerBytes - 8;
        memcpy(contents[i].data() + scenario.number, &pointer, sizeof(pointer));
      }
    } else {
      args[i] = static_cast<uint64_t>(NumberOf(values[i]));
    }
  }
  // Extents are those of the base arguments, also where a length is then another one.
  size_t extents[6] = {};
  for (size_t i = 0; i < values.size(); ++i) extents[i] = ExtentOf(row, i, contents, args);
  for (size_t i = 0; i < values.size(); ++i) {
    if (IsPointer(row.args[i], values[i])) args[i] = Lay(recipe, i, contents[i], extents[i], scenario);
  }
  if (scenario.how == How::Number || scenario.how == How::Large) args[scenario.position] = scenario.number;
  if (scenario.how == How::Dirty) Dirty(row, values, args);
  alarm(60);  // nothing here is meant to sleep
  const long result = ::syscall(static_cast<long>(row.nr), args[0], args[1], args[2], args[3], args[4], args[5]);
  shared->result = result == -1 ? -errno : result;
  shared->done = true;
  _exit(0);
}

// Takes away what outlives its maker.
void RemoveIpc(const Row& row, long result) {
  if (shared->mailbox >= 0) msgctl(shared->mailbox, IPC_RMID, nullptr);
  if (shared->semaphore >= 0) semctl(shared->semaphore, 0, IPC_RMID);
  if (result < 0) return;
  const int id = static_cast<int>(result);
  if (row.nr == syscall::Nr::shmget) shmctl(id, IPC_RMID, nullptr);
  if (row.nr == syscall::Nr::msgget) msgctl(id, IPC_RMID, nullptr);
  if (row.nr == syscall::Nr::semget) semctl(id, 0, IPC_RMID);
}

}  // namespace

std::string Scenario::Text() const {
  static constexpr const char* kNames[] = {"roomy",  "poison", "exact", "dirty",   "across", "null",  "hole",  "none",
                                           "kernel", "fixed",  "short", "garbage", "number", "large", "inner", "edge"};
  std::string text = kNames[static_cast<int>(how)];
  if (how >= How::Null) text += " " + std::to_string(position);
  if (how >= How::Number) text += "=" + std::to_string(static_cast<int64_t>(number));
  return text;
}

Access AccessOf(const Recipe& recipe, size_t position) {
  const Row& row = recipe.row();
  switch (row.args[position].kind) {
    case ArgKind::IovecOut:
    case ArgKind::XattrOut:
      return Access::In;
    default:
      break;
  }
  const Access access = row.args[position].access();
  if (access == Access::Value) return access;
  const bool silent = position >= recipe.values.size() || recipe.values[position].kind == Value::Kind::Auto;
  const Value value = silent ? Default(row, position) : recipe.values[position];
  return IsPointer(row.args[position], value) ? access : Access::Value;
}

void MapAreas() {
  for (size_t i = 0; i < syscall::kMaxArgs; ++i) {
    MapAt(kAreas + i * kStride, kAreaBytes, PROT_READ | PROT_WRITE);
    MapAt(kAreas + i * kStride + kAreaBytes, kPage, PROT_NONE);
  }
  MapAt(kInner, kInnerBytes, PROT_READ | PROT_WRITE);
  MapAt(kNone, kAreaBytes, PROT_NONE);
  shared =
      static_cast<Shared*>(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

std::vector<size_t> InnerPointers(const Recipe& recipe, size_t position) {
  std::vector<size_t> offsets;
  if (position >= recipe.values.size()) return offsets;
  const std::string content = ContentOf(recipe.values[position]);
  for (size_t offset = 0; offset + 8 <= content.size(); offset += 8) {
    uint64_t word;
    memcpy(&word, content.data() + offset, sizeof(word));
    if (word >= kInner && word < kInner + kInnerBytes) offsets.push_back(offset);
  }
  return offsets;
}

Outcome Perform(const Recipe& recipe, const Scenario& scenario) {
  const Row& row = recipe.row();
  shared->done = false;
  shared->mailbox = -1;
  shared->semaphore = -1;
  std::fill(std::begin(shared->used), std::end(shared->used), false);
  const pid_t child = fork();
  if (child == 0) PerformAlone(recipe, row, scenario);
  int status = 0;
  waitpid(child, &status, 0);
  Outcome outcome;
  if (!shared->done) {
    if (WIFEXITED(status)) _exit(WEXITSTATUS(status));  // the state could not be made
    outcome.result = WTERMSIG(status) == SIGALRM ? kBlocked : kKilled;
  } else {
    outcome.result = shared->result;
  }
  for (size_t i = 0; i < syscall::kMaxArgs; ++i) {
    if (!shared->used[i]) continue;
    outcome.memory[i] = {true, shared->extent[i], shared->at[i], std::string(shared->before[i], kAreaBytes),
                         std::string(Area(i), kAreaBytes)};
  }
  outcome.inner.assign(Inner(), kInnerBytes);
  RemoveIpc(row, shared->done ? outcome.result : -1);
  RemoveState();
  return outcome;
}

}  // namespace guise::kinds
