// _sysctl(2): settings of the kernel by number, read only. ABI: kernel/sysctl.c of Linux 2.6.32, and the numbers of
// linux/sysctl.h.

// In this order: linux/sysctl.h takes size_t as given.
// clang-format off
#include <stddef.h>
#include <linux/sysctl.h>
// clang-format on
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "personalities/api/memory.h"
#include "personalities/legacy/host_file.h"
#include "personalities/legacy/legacy.h"

namespace guise::personalities {

using api::Argument;
using api::Below;
using api::Bytes;
using api::Call;
using api::Room;
using api::SysResult;
using api::SysTask;
using api::Task;

namespace {

enum class Form { kText, kInts, kLongs, kUuid };

// A setting by number, and the file that tells it.
struct Setting {
  std::array<int, 3> name;  // ends with zeros
  Form form;
  const char* path;
};

constexpr Setting kSettings[] = {
    {{CTL_KERN, KERN_OSTYPE}, Form::kText, "/proc/sys/kernel/ostype"},
    {{CTL_KERN, KERN_OSRELEASE}, Form::kText, "/proc/sys/kernel/osrelease"},
    {{CTL_KERN, KERN_VERSION}, Form::kText, "/proc/sys/kernel/version"},
    {{CTL_KERN, KERN_NODENAME}, Form::kText, "/proc/sys/kernel/hostname"},
    {{CTL_KERN, KERN_DOMAINNAME}, Form::kText, "/proc/sys/kernel/domainname"},
    {{CTL_KERN, KERN_CORE_PATTERN}, Form::kText, "/proc/sys/kernel/core_pattern"},
    {{CTL_KERN, KERN_PANIC}, Form::kInts, "/proc/sys/kernel/panic"},
    {{CTL_KERN, KERN_PANIC_ON_OOPS}, Form::kInts, "/proc/sys/kernel/panic_on_oops"},
    {{CTL_KERN, KERN_PRINTK}, Form::kInts, "/proc/sys/kernel/printk"},
    {{CTL_KERN, KERN_CORE_USES_PID}, Form::kInts, "/proc/sys/kernel/core_uses_pid"},
    {{CTL_KERN, KERN_PIDMAX}, Form::kInts, "/proc/sys/kernel/pid_max"},
    {{CTL_KERN, KERN_MAX_THREADS}, Form::kInts, "/proc/sys/kernel/threads-max"},
    {{CTL_KERN, KERN_NGROUPS_MAX}, Form::kInts, "/proc/sys/kernel/ngroups_max"},
    {{CTL_KERN, KERN_OVERFLOWUID}, Form::kInts, "/proc/sys/kernel/overflowuid"},
    {{CTL_KERN, KERN_OVERFLOWGID}, Form::kInts, "/proc/sys/kernel/overflowgid"},
    {{CTL_KERN, KERN_MSGMAX}, Form::kInts, "/proc/sys/kernel/msgmax"},
    {{CTL_KERN, KERN_MSGMNB}, Form::kInts, "/proc/sys/kernel/msgmnb"},
    {{CTL_KERN, KERN_MSGMNI}, Form::kInts, "/proc/sys/kernel/msgmni"},
    {{CTL_KERN, KERN_SEM}, Form::kInts, "/proc/sys/kernel/sem"},
    {{CTL_KERN, KERN_SHMMNI}, Form::kInts, "/proc/sys/kernel/shmmni"},
    {{CTL_KERN, KERN_SHMMAX}, Form::kLongs, "/proc/sys/kernel/shmmax"},
    {{CTL_KERN, KERN_SHMALL}, Form::kLongs, "/proc/sys/kernel/shmall"},
    {{CTL_KERN, KERN_RANDOM, RANDOM_BOOT_ID}, Form::kUuid, "/proc/sys/kernel/random/boot_id"},
    {{CTL_KERN, KERN_RANDOM, RANDOM_UUID}, Form::kUuid, "/proc/sys/kernel/random/uuid"},
    {{CTL_VM, VM_OVERCOMMIT_MEMORY}, Form::kInts, "/proc/sys/vm/overcommit_memory"},
    {{CTL_VM, VM_SWAPPINESS}, Form::kInts, "/proc/sys/vm/swappiness"},
    {{CTL_VM, VM_MAX_MAP_COUNT}, Form::kInts, "/proc/sys/vm/max_map_count"},
    {{CTL_FS, FS_MAXFILE}, Form::kInts, "/proc/sys/fs/file-max"},
    {{CTL_FS, FS_OVERFLOWUID}, Form::kInts, "/proc/sys/fs/overflowuid"},
    {{CTL_FS, FS_OVERFLOWGID}, Form::kInts, "/proc/sys/fs/overflowgid"},
};

using Name = std::array<int, CTL_MAXNAME>;
using Text = std::array<char, 512>;

const Setting* Find(const Name& name, int length) {
  for (const Setting& setting : kSettings) {
    const auto end = std::find(setting.name.begin(), setting.name.end(), 0);
    if (std::equal(setting.name.begin(), end, name.begin(), name.begin() + length)) return &setting;
  }
  return nullptr;
}

// A setting's value as the call tells it.
class Value {
 public:
  void Append(const void* bytes, size_t size) {
    size = std::min(size, bytes_.size() - size_);
    std::memcpy(bytes_.data() + size_, bytes, size);
    size_ += size;
  }
  void Shorten(uint64_t size) { size_ = std::min<uint64_t>(size_, size); }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, 4 * sizeof(Text)> bytes_;  // numbers have two bytes each in the file, and eight here
  size_t size_ = 0;
};

template <typename Number>
void AppendNumbers(const char* text, Value* value) {
  for (char* end = nullptr;; text = end) {
    const auto number = static_cast<Number>(std::strtoull(text, &end, 10));
    if (end == text) return;
    value->Append(&number, sizeof(number));
  }
}

void AppendUuid(std::string_view text, Value* value) {
  std::array<char, 3> digits = {};
  size_t count = 0;
  for (const char c : text) {
    if (c == '-') continue;
    digits[count++] = c;
    if (count < 2) continue;
    const auto byte = static_cast<char>(std::strtoul(digits.data(), nullptr, 16));
    value->Append(&byte, sizeof(byte));
    count = 0;
  }
}

// `file`: the text of the setting's file, with a NUL behind it.
Value ValueOf(Form form, std::string_view file) {
  while (!file.empty() && file.back() == '\n') file.remove_suffix(1);
  Value value;
  switch (form) {
    case Form::kText:
      value.Append(file.data(), file.size());
      break;
    case Form::kInts:
      AppendNumbers<int>(file.data(), &value);
      break;
    case Form::kLongs:
      AppendNumbers<long>(file.data(), &value);
      break;
    case Form::kUuid:
      AppendUuid(file, &value);
      break;
  }
  return value;
}

struct Wanted {
  const v1::LegacyProfile* profile = nullptr;
  const Setting* setting = nullptr;
  __sysctl_args args = {};
};

// What the profile says in the file's stead; empty: nothing.
std::string_view ShownBy(const Wanted& wanted) {
  if (wanted.setting->name[0] != CTL_KERN) return "";
  if (wanted.setting->name[1] == KERN_OSRELEASE) return wanted.profile->release();
  return wanted.setting->name[1] == KERN_VERSION ? std::string_view(wanted.profile->version()) : "";
}

// What the guest asks for. `memory` is open.
Task<SysResult> ReadName(Call& call, SysResult memory, Wanted* wanted) {
  if (wanted->args.nlen <= 0 || wanted->args.nlen >= CTL_MAXNAME) co_return SysResult::Error(ENOTDIR);
  const Room<Name> room = call.MakeRoom<Name>();
  const auto from = reinterpret_cast<uint64_t>(wanted->args.name);
  const uint64_t size = static_cast<uint64_t>(wanted->args.nlen) * sizeof(int);
  const Argument to = room;
  const SysResult read = co_await api::ReadMemory(call, memory, from, to, size);
  if (!read.ok()) co_return read;
  if (read.value() != size) co_return SysResult::Error(EFAULT);
  wanted->setting = Find(call.Read(room), wanted->args.nlen);
  co_return wanted->setting == nullptr ? SysResult::Error(ENOTDIR) : SysResult::Ok();
}

// How many bytes the guest has room for.
Task<SysResult> ReadLength(Call& call, SysResult memory, uint64_t from) {
  if (from == 0) co_return SysResult::Error(EFAULT);
  const Room<uint64_t> room = call.MakeRoom<uint64_t>();
  const Argument to = room;
  const SysResult read = co_await api::ReadMemory(call, memory, from, to, sizeof(uint64_t));
  if (!read.ok()) co_return read;
  if (read.value() != sizeof(uint64_t)) co_return SysResult::Error(EFAULT);
  co_return SysResult::Ok(std::min<uint64_t>(call.Read(room), INT32_MAX));
}

// ABI: sysctl_string() cuts a text off, ends it with a NUL and tells its length without; sysctl_data() cuts off.
// REQUIRES: room > 0. Returns the length to tell.
uint64_t Cut(Form form, uint64_t room, Value* value) {
  const uint64_t whole = value->view().size();
  value->Shorten(form == Form::kText ? room - 1 : room);
  if (form != Form::kText) return value->view().size();
  value->Append("", 1);
  return whole;
}

Task<SysResult> WriteValue(Call& call, SysResult memory, const Wanted* wanted, Argument value, uint64_t size,
                           uint64_t told) {
  const auto to = reinterpret_cast<uint64_t>(wanted->args.oldval);
  const SysResult written = co_await api::WriteMemory(call, memory, to, value, size);
  if (!written.ok()) co_return written;
  const Argument length = call.Put({reinterpret_cast<const char*>(&told), sizeof(told)});
  const auto length_to = reinterpret_cast<uint64_t>(wanted->args.oldlenp);
  const SysResult noted = co_await api::WriteMemory(call, memory, length_to, length, sizeof(told));
  co_return noted.ok() ? SysResult::Ok() : noted;
}

Argument PutValue(Call& call, const Wanted& wanted, Room<Text> room, SysResult read, uint64_t most, uint64_t* size,
                  uint64_t* told) {
  const Form form = wanted.setting->form;
  const HostText text = TextOf(call, room, read.value());
  const std::string_view shown = ShownBy(wanted);
  Value value = ValueOf(form, shown.empty() ? text.view() : shown);
  *told = Cut(form, most, &value);
  *size = value.view().size();
  return call.Put(value.view());
}

// `memory` is open.
Task<SysResult> Answer(Call& call, SysResult memory, Wanted* wanted) {
  const SysResult named = co_await ReadName(call, memory, wanted);
  if (!named.ok()) co_return named;
  // The kernel's settings are the host's.
  if (wanted->args.newval != nullptr && wanted->args.newlen != 0) co_return SysResult::Error(EPERM);
  if (wanted->args.oldval == nullptr) co_return SysResult::Ok();
  const auto length_at = reinterpret_cast<uint64_t>(wanted->args.oldlenp);
  const SysResult length = co_await ReadLength(call, memory, length_at);
  if (!length.ok()) co_return length;
  if (length.value() == 0) co_return SysResult::Ok();
  const Room<Text> text = call.MakeRoom<Text>();
  const Argument into = text;
  const SysResult read = co_await ReadHostFile(call, wanted->setting->path, into, sizeof(Text), 0);
  if (!read.ok()) co_return read;
  uint64_t size = 0;
  uint64_t told = 0;
  const Argument value = PutValue(call, *wanted, text, read, length.value(), &size, &told);
  const SysResult written = co_await WriteValue(call, memory, wanted, value, size, told);
  co_return written;
}

}  // namespace

SysTask Legacy::Sysctl(Call& call, Below) const {
  Wanted wanted;
  wanted.profile = &profile_;
  const auto bytes = call.Arg<Bytes>(0);
  if (bytes.data.size() < sizeof(wanted.args)) co_return SysResult::Error(EFAULT);
  std::memcpy(&wanted.args, bytes.data.data(), sizeof(wanted.args));
  const SysResult memory = co_await api::OpenMemory(call);
  if (!memory.ok()) co_return memory;
  Wanted* const asked = &wanted;
  const SysResult result = co_await Answer(call, memory, asked);
  const SysResult closed = co_await api::CloseMemory(call, memory);
  (void)closed;
  co_return result;
}

}  // namespace guise::personalities
