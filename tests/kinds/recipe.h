// What a row of the syscall table needs beyond its kinds to be called: base arguments, what it must answer to them, and
// what of its answer differs between two runs. recipes.def is written in these words.
#ifndef GUISE_TESTS_KINDS_RECIPE_H_
#define GUISE_TESTS_KINDS_RECIPE_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "proto/syscall/table.h"

namespace guise::kinds {

// Descriptors that a recipe can name; made when it does, always in the same state (state.cc).
enum class Fds {
  File,        // "file", read and write
  Directory,   // "dir"
  PipeIn,      // holds 9 bytes
  PipeOut,     // of another pipe
  FullSocket,  // unix stream, connected; 9 bytes wait
  Datagrams,   // unix datagram, connected; two messages wait
  Mail,        // unix datagram, "receiver"; a message of 9 bytes from "sender" waits
  NewSocket,   // unix stream, neither bound nor connected
  Listening,   // a connection waits
  Event,       // counts 1
  Timer,
  Epoll,    // the event is in it, ready
  Inotify,  // an event waits
  Queue,    // POSIX message queue with one message of 9 bytes
  Process,  // a pidfd of the caller
  Path,     // "file", O_PATH
  Ruleset,  // Landlock
  Context,  // fsopen("tmpfs")
};

struct Value {
  enum class Kind { Auto, Number, Fd, Bytes, Self, Child, Iovec, Message, Messages, Address, Mailbox, Semaphore };
  Kind kind = Kind::Auto;
  int64_t number = 0;
  std::string bytes;
};

inline const Value A;  // what the kind suggests: see Default in call.cc
// The number under which a descriptor is open.
constexpr int NumberOf(Fds fd) { return 40 + static_cast<int>(fd); }

// Where the inner buffer lies: a page of text and three of zeros, for what structures point to.
inline constexpr uint64_t kInner = 0x510000800000;
inline constexpr uint64_t kInnerBytes = uint64_t{4} * 4096;

inline Value N(int64_t number) { return {Value::Kind::Number, number, {}}; }
inline Value F(Fds fd) { return {Value::Kind::Fd, static_cast<int64_t>(fd), {}}; }
inline Value S(const char* text) { return {Value::Kind::Bytes, 0, std::string(text) + '\0'}; }
template <typename T>
Value D(const T& object) {
  return {Value::Kind::Bytes, 0, std::string(reinterpret_cast<const char*>(&object), sizeof(object))};
}
inline const Value Self{Value::Kind::Self, 0, {}};            // the caller's pid
inline const Value Child{Value::Kind::Child, 0, {}};          // a child that has exited with 3
inline const Value Iovec{Value::Kind::Iovec, 0, {}};          // one, over 16 bytes of the inner buffer
inline const Value Message{Value::Kind::Message, 0, {}};      // a msghdr with one such iovec
inline const Value Messages{Value::Kind::Messages, 0, {}};    // one mmsghdr likewise
inline const Value Mailbox{Value::Kind::Mailbox, 0, {}};      // a SysV queue with one message of 8 bytes, type 1
inline const Value Semaphore{Value::Kind::Semaphore, 0, {}};  // a set of one, 0
inline const Value Address{Value::Kind::Address, 0, {}};      // two pages of the inner buffer, as a value

// What two runs do not have in common, by the name that recipes.def gives it.
enum class Varies {
  Nothing,
  Stat,      // device, inode and times of a struct stat
  Statx,     // likewise
  Contents,  // all that is written: times, counters, ids, random bytes
  Result,    // the result, if it is no error
  Both,      // Contents and Result
};

// What the base arguments must give; recipes that fail for another reason than the table's would prove nothing.
struct Must {
  enum class Kind { Succeed, SucceedAsRoot, Fail, Whatever } kind;
  int error;
};
inline constexpr Must Works{Must::Kind::Succeed, 0};
inline constexpr Must WorksForRoot{Must::Kind::SucceedAsRoot, 0};
inline constexpr Must Depends{Must::Kind::Whatever, 0};  // on the kernel's configuration or on hardware
constexpr Must Fails(int error) { return {Must::Kind::Fail, error}; }

// NULL is refused here though the kind allows it.
constexpr int NoNull(int position) { return 8 + position; }
// Nothing, or what was there before, is written.
constexpr int Unwritten(int position) { return 16 + position; }

struct Recipe {
  syscall::Nr nr;
  Must must;
  Varies varies;
  std::vector<Value> values;
  // Bits of positions: pointers for which the kernel, given these values, touches less than the kind allows;
  // NoNull(position) and Unwritten(position).
  uint32_t loose = 0;
  const syscall::Row* planted = nullptr;  // instead of the table's (plants.h)

  const syscall::Row& row() const { return planted != nullptr ? *planted : *syscall::Find(static_cast<uint32_t>(nr)); }
};

const std::vector<Recipe>& Recipes();

}  // namespace guise::kinds

#endif  // GUISE_TESTS_KINDS_RECIPE_H_
