#include "shim/view/fd_fields.h"

#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/mount.h>
#include <linux/prctl.h>

#include "shim/guest_memory.h"
#include "shim/view/fd_entries.h"
#include "shim/view/fd_ioctls.h"
#include "shim/view/fds.h"

namespace guise::shim {
namespace {

using syscall::Nr;

void HideArgument(const ProcessState& process, GuestCall* call, size_t i) {
  if (IsGuarded(process, static_cast<int32_t>(call->args[i]))) call->args[i] = kNobodys;
}

// ABI: union bpf_attr of include/uapi/linux/bpf.h. Not among them, for their files have to be known to tell what they
// are: targets of programs (an interface's number for some), relatives of programs (an id under a flag), values of maps
// that hold fds, and what instructions name.
FdFields FieldsOfBpf(uint32_t command) {
  constexpr uint32_t kTokenCreate = 36;  // 6.9
  constexpr uint32_t kStreamRead = 37;   // 6.17
  switch (command) {
    case BPF_MAP_CREATE:
      return {4, {offsetof(bpf_attr, inner_map_fd), offsetof(bpf_attr, btf_fd), 72, 76}};  // the value's type, token
    case BPF_PROG_LOAD:
      return {3, {offsetof(bpf_attr, prog_btf_fd), offsetof(bpf_attr, attach_prog_fd), 144}};  // token
    case BPF_OBJ_PIN:
    case BPF_OBJ_GET:
      return {2, {offsetof(bpf_attr, bpf_fd), 16}};  // the path's directory
    case BPF_PROG_ATTACH:
    case BPF_PROG_DETACH:
      return {2, {offsetof(bpf_attr, attach_bpf_fd), offsetof(bpf_attr, replace_bpf_fd)}};
    case BPF_PROG_GET_FD_BY_ID:
    case BPF_MAP_GET_FD_BY_ID:
    case BPF_BTF_GET_FD_BY_ID:
    case BPF_LINK_GET_FD_BY_ID:
      return {1, {12}};  // token
    case BPF_RAW_TRACEPOINT_OPEN:
      return {1, {offsetof(bpf_attr, raw_tracepoint.prog_fd)}};
    case BPF_BTF_LOAD:
      return {1, {36}};  // token
    case BPF_MAP_LOOKUP_BATCH:
    case BPF_MAP_LOOKUP_AND_DELETE_BATCH:
    case BPF_MAP_UPDATE_BATCH:
    case BPF_MAP_DELETE_BATCH:
      return {1, {offsetof(bpf_attr, batch.map_fd)}};
    case BPF_LINK_UPDATE:
      return {3,
              {offsetof(bpf_attr, link_update.link_fd), offsetof(bpf_attr, link_update.new_prog_fd),
               offsetof(bpf_attr, link_update.old_prog_fd)}};
    case BPF_PROG_BIND_MAP:
      return {2, {offsetof(bpf_attr, prog_bind_map.prog_fd), offsetof(bpf_attr, prog_bind_map.map_fd)}};
    case BPF_MAP_LOOKUP_ELEM:
    case BPF_MAP_UPDATE_ELEM:
    case BPF_MAP_DELETE_ELEM:
    case BPF_MAP_GET_NEXT_KEY:
    case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
    case BPF_MAP_FREEZE:
    case BPF_PROG_TEST_RUN:
    case BPF_OBJ_GET_INFO_BY_FD:
    case BPF_LINK_CREATE:
    case BPF_ITER_CREATE:
    case BPF_LINK_DETACH:
      return {1, {0}};
    case kTokenCreate:
      return {1, {4}};
    case kStreamRead:
      return {1, {16}};
    default:
      return {};
  }
}

bool InStructure(const ProcessState& process, const FdFields& fields, uint64_t at, uint64_t size, const GuestCall& call,
                 Outcome* outcome) {
  Entries entries[kMostFdFields];
  size_t count = 0;
  for (uint8_t i = 0; i < fields.count; ++i) {
    if (fields.at[i] + sizeof(int32_t) <= size) entries[count++] = OneFdAt(at + fields.at[i]);
  }
  return count != 0 && PerformWithout(process, entries, count, call, outcome);
}

// ABI: include/uapi/linux/io_uring.h. The ring itself may be named by an index, which is no fd (bit 31 of the command).
Entries EntriesOfRing(const GuestCall& call) {
  constexpr uint32_t kByIndex = 1u << 31;
  constexpr uint32_t kCloneBuffers = 30;  // 6.12
  constexpr uint32_t kSendMessage = 31;   // 6.13
  const uint64_t at = call.args[2];
  const auto count = static_cast<uint32_t>(call.args[3]);
  switch (static_cast<uint32_t>(call.args[1]) & ~kByIndex) {
    case IORING_REGISTER_FILES:
      return {at, sizeof(int32_t), count};
    case IORING_REGISTER_FILES_UPDATE: {
      io_uring_files_update update;
      return ReadGuest(&update, at) ? Entries{update.fds, sizeof(int32_t), count} : Entries{};
    }
    case IORING_REGISTER_FILES2: {
      io_uring_rsrc_register list;
      return ReadGuest(&list, at) ? Entries{list.data, sizeof(int32_t), list.nr} : Entries{};
    }
    case IORING_REGISTER_FILES_UPDATE2: {
      io_uring_rsrc_update2 update;
      return ReadGuest(&update, at) ? Entries{update.data, sizeof(int32_t), update.nr} : Entries{};
    }
    case IORING_REGISTER_RING_FDS:
      return {at + offsetof(io_uring_rsrc_update, data), sizeof(io_uring_rsrc_update), count};
    case IORING_REGISTER_EVENTFD:
    case IORING_REGISTER_EVENTFD_ASYNC:
    case kCloneBuffers:
      return OneFdAt(at);
    case IORING_REGISTER_SYNC_CANCEL:
      return OneFdAt(at + offsetof(io_uring_sync_cancel_reg, fd));
    case kSendMessage:
      return OneFdAt(at + offsetof(io_uring_sqe, fd));
    default:
      return {};
  }
}

bool OfRing(const ProcessState& process, const GuestCall& call, Outcome* outcome) {
  const Entries entries = EntriesOfRing(call);
  return entries.count <= kMostFds && PerformWithout(process, entries, call, outcome);
}

// ABI: asm-generic/socket.h, linux/if_packet.h. Other values of PACKET_FANOUT_DATA have another size.
bool IsFdOption(uint32_t level, uint32_t name) {
  constexpr uint32_t kSocketLevel = 1;
  constexpr uint32_t kAttachBpf = 50;
  constexpr uint32_t kAttachReuseportBpf = 52;
  constexpr uint32_t kPacketLevel = 263;
  constexpr uint32_t kFanoutData = 22;
  return level == kSocketLevel ? name == kAttachBpf || name == kAttachReuseportBpf
                               : level == kPacketLevel && name == kFanoutData;
}

bool SetOption(const ProcessState& process, const GuestCall& call, Outcome* outcome) {
  return static_cast<uint32_t>(call.args[4]) == sizeof(int32_t) &&
         IsFdOption(static_cast<uint32_t>(call.args[1]), static_cast<uint32_t>(call.args[2])) &&
         PerformWithout(process, OneFdAt(call.args[3]), call, outcome);
}

bool SetMemoryMap(const ProcessState& process, GuestCall* call, Outcome* outcome) {
  if (static_cast<uint32_t>(call->args[0]) != PR_SET_MM) return false;
  if (call->args[1] == PR_SET_MM_EXE_FILE) HideArgument(process, call, 2);
  return call->args[1] == PR_SET_MM_MAP &&
         PerformWithout(process, OneFdAt(call->args[2] + offsetof(prctl_mm_map, exe_fd)), *call, outcome);
}

}  // namespace

bool AnswerForFdFields(const ProcessState& process, GuestCall* call, Outcome* outcome) {
  switch (call->nr) {
    case Nr::bpf:
      return InStructure(process, FieldsOfBpf(static_cast<uint32_t>(call->args[0])), call->args[1],
                         static_cast<uint32_t>(call->args[2]), *call, outcome);
    case Nr::fsconfig: {
      // What the path starts from, and the fd itself.
      const auto command = static_cast<uint32_t>(call->args[1]);
      if (command >= FSCONFIG_SET_PATH && command <= FSCONFIG_SET_FD) HideArgument(process, call, 4);
      return false;
    }
    case Nr::io_uring_register:
      return OfRing(process, *call, outcome);
    case Nr::ioctl: {
      const auto command = static_cast<uint32_t>(call->args[1]);
      if (IsFdOfIoctl(command)) HideArgument(process, call, 2);
      return InStructure(process, FieldsOfIoctl(command), call->args[2], UINT64_MAX, *call, outcome);
    }
    case Nr::listmount:
    case Nr::statmount:
      // The mount namespace's. ABI: struct mnt_id_req, since 6.11.
      return PerformWithout(process, OneFdAt(call->args[0] + 4), *call, outcome);
    case Nr::mount_setattr:
    case Nr::open_tree_attr:
      return call->args[4] >= sizeof(mount_attr) &&
             PerformWithout(process, OneFdAt(call->args[3] + offsetof(mount_attr, userns_fd)), *call, outcome);
    case Nr::mq_notify:
      // A netlink socket, in the place of the signal (mq_notify of ipc/mqueue.c); no such number is a signal's.
      return PerformWithout(process, OneFdAt(call->args[1] + 8), *call, outcome);
    case Nr::prctl:
      return SetMemoryMap(process, call, outcome);
    case Nr::setsockopt:
      return SetOption(process, *call, outcome);
    default:
      return false;
  }
}

}  // namespace guise::shim
