// Every structure and field of the wire, as the headers say. What is committed as text (layout.txt, and the
// tables of docs/WIRE.md) is compared with this.
//
// A field that is forgotten here shows as a gap: layout_test lets none pass.
#ifndef GUISE_PROTO_WIRE_LAYOUT_FIELDS_H_
#define GUISE_PROTO_WIRE_LAYOUT_FIELDS_H_

#include <stddef.h>
#include <stdint.h>

#include "proto/wire/book.h"
#include "proto/wire/doorbell.h"
#include "proto/wire/fdsocket.h"
#include "proto/wire/handover.h"
#include "proto/wire/layout.h"
#include "proto/wire/overlay.h"
#include "proto/wire/panic.h"
#include "proto/wire/published.h"
#include "proto/wire/records.h"
#include "proto/wire/request.h"
#include "proto/wire/slot.h"
#include "proto/wire/store.h"
#include "proto/wire/version.h"

namespace guise::wire {

struct LayoutStruct {
  const char* name;
  uint64_t size;
  uint64_t align;
};

struct LayoutField {
  const char* of;
  const char* name;
  uint64_t offset;
  uint64_t size;
  bool alternative;  // lies in a union, over the field listed before it
};

#define GUISE_STRUCT(type) \
  LayoutStruct { #type, sizeof(type), alignof(type) }
#define GUISE_FIELD(type, field) \
  LayoutField { #type, #field, offsetof(type, field), sizeof(type::field), false }
#define GUISE_ALTERNATIVE(type, field) \
  LayoutField { #type, #field, offsetof(type, field), sizeof(type::field), true }

inline constexpr LayoutStruct kLayoutStructs[] = {
    GUISE_STRUCT(RequestHeader), GUISE_STRUCT(Totals),        GUISE_STRUCT(Bell),          GUISE_STRUCT(RequestRoot),
    GUISE_STRUCT(GroupHeader),   GUISE_STRUCT(RequestLine),   GUISE_STRUCT(RunLine),       GUISE_STRUCT(RequestSlot),
    GUISE_STRUCT(ThreadRecord),  GUISE_STRUCT(ProcessRecord), GUISE_STRUCT(RequestGroup),  GUISE_STRUCT(PanicRecord),
    GUISE_STRUCT(ReplyHeader),   GUISE_STRUCT(KeeperLine),    GUISE_STRUCT(Published),     GUISE_STRUCT(ReplyLine),
    GUISE_STRUCT(BookSite),      GUISE_STRUCT(BookFile),      GUISE_STRUCT(Book),          GUISE_STRUCT(SiteTotals),
    GUISE_STRUCT(Action),        GUISE_STRUCT(DirectWord),    GUISE_STRUCT(ReplyGroup),    GUISE_STRUCT(KernelLook),
    GUISE_STRUCT(Hiding),        GUISE_STRUCT(Identity),      GUISE_STRUCT(OverlayEntry),  GUISE_STRUCT(InodeKey),
    GUISE_STRUCT(OverlayValue),  GUISE_STRUCT(StoreHeader),   GUISE_STRUCT(IdentityValue), GUISE_STRUCT(AttributeBlock),
    GUISE_STRUCT(Change),        GUISE_STRUCT(LoggedStep),    GUISE_STRUCT(SlotLog),       GUISE_STRUCT(StoredIdentity),
    GUISE_STRUCT(FdMessage),
};

inline constexpr LayoutField kLayoutFields[] = {
    GUISE_FIELD(RequestHeader, magic),
    GUISE_FIELD(RequestHeader, abi_min),
    GUISE_FIELD(RequestHeader, abi_max),
    GUISE_FIELD(RequestHeader, session),
    GUISE_FIELD(RequestHeader, features),
    GUISE_FIELD(RequestHeader, size),
    GUISE_FIELD(RequestHeader, groups_used),
    GUISE_FIELD(RequestHeader, full),
    GUISE_FIELD(RequestHeader, full_waiters),
    GUISE_FIELD(RequestHeader, reserved),
    GUISE_FIELD(Totals, calls),
    GUISE_FIELD(Totals, panics),
    GUISE_FIELD(Totals, reserved),
    GUISE_FIELD(SiteTotals, caught),
    GUISE_FIELD(SiteTotals, near),
    GUISE_FIELD(SiteTotals, far),
    GUISE_FIELD(SiteTotals, stub_bytes),
    GUISE_FIELD(SiteTotals, kept),
    GUISE_FIELD(SiteTotals, known),
    GUISE_FIELD(SiteTotals, reserved),
    GUISE_FIELD(Bell, rung),
    GUISE_FIELD(Bell, reserved),
    GUISE_FIELD(RequestRoot, header),
    GUISE_FIELD(RequestRoot, totals),
    GUISE_FIELD(RequestRoot, bells),
    GUISE_FIELD(RequestRoot, sites),
    GUISE_FIELD(RequestRoot, reserved),
    GUISE_FIELD(GroupHeader, posts),
    GUISE_FIELD(GroupHeader, reserved),
    GUISE_FIELD(RequestLine, sequence),
    GUISE_FIELD(RequestLine, nr),
    GUISE_FIELD(RequestLine, epoch),
    GUISE_FIELD(RequestLine, args),
    GUISE_FIELD(RunLine, begun),
    GUISE_FIELD(RunLine, done),
    GUISE_FIELD(RunLine, result),
    GUISE_FIELD(RunLine, owner),
    GUISE_FIELD(RunLine, state),
    GUISE_FIELD(RunLine, thread),
    GUISE_FIELD(RunLine, copies),
    GUISE_FIELD(RunLine, reserved),
    GUISE_FIELD(RequestSlot, call),
    GUISE_FIELD(RequestSlot, run),
    GUISE_FIELD(ThreadRecord, owner),
    GUISE_FIELD(ThreadRecord, tid),
    GUISE_FIELD(ThreadRecord, in_gate),
    GUISE_FIELD(ThreadRecord, calls),
    GUISE_FIELD(ProcessRecord, owner),
    GUISE_FIELD(ProcessRecord, taken_at),
    GUISE_FIELD(ProcessRecord, parent),
    GUISE_FIELD(ProcessRecord, parent_generation),
    GUISE_FIELD(ProcessRecord, execs),
    GUISE_FIELD(ProcessRecord, comm),
    GUISE_FIELD(ProcessRecord, landlock_layers),
    GUISE_FIELD(ProcessRecord, parent_landlock_layers),
    GUISE_FIELD(ProcessRecord, reserved),
    GUISE_FIELD(RequestGroup, header),
    GUISE_FIELD(RequestGroup, slots),
    GUISE_FIELD(RequestGroup, threads),
    GUISE_FIELD(RequestGroup, processes),
    GUISE_FIELD(RequestGroup, root),
    GUISE_FIELD(BookSite, place),
    GUISE_FIELD(BookSite, text),
    GUISE_FIELD(BookSite, caught),
    GUISE_FIELD(BookSite, plan),

    GUISE_FIELD(Book, keys),
    GUISE_FIELD(Book, places),
    GUISE_FIELD(Book, used),
    GUISE_FIELD(Book, reserved),
    GUISE_FIELD(Book, files),
    GUISE_FIELD(BookFile, identity),
    GUISE_FIELD(BookFile, learners),
    GUISE_FIELD(BookFile, named),
    GUISE_FIELD(BookFile, device),
    GUISE_FIELD(BookFile, inode),
    GUISE_FIELD(BookFile, path),
    GUISE_FIELD(BookFile, sites),

    GUISE_FIELD(PanicRecord, kind),
    GUISE_FIELD(PanicRecord, pid),
    GUISE_FIELD(PanicRecord, tid),
    GUISE_FIELD(PanicRecord, signal),
    GUISE_FIELD(PanicRecord, rip),
    GUISE_FIELD(PanicRecord, rsp),
    GUISE_FIELD(PanicRecord, address),
    GUISE_FIELD(PanicRecord, nr),
    GUISE_FIELD(PanicRecord, error),
    GUISE_FIELD(PanicRecord, text),
    GUISE_FIELD(ReplyHeader, magic),
    GUISE_FIELD(ReplyHeader, abi_min),
    GUISE_FIELD(ReplyHeader, abi_max),
    GUISE_FIELD(ReplyHeader, session),
    GUISE_FIELD(ReplyHeader, features),
    GUISE_FIELD(ReplyHeader, size),
    GUISE_FIELD(ReplyHeader, reserved),
    GUISE_FIELD(KeeperLine, server_alive),
    GUISE_FIELD(KeeperLine, generation),
    GUISE_FIELD(KeeperLine, reserved),
    GUISE_FIELD(Published, sequence),
    GUISE_FIELD(Published, epoch),
    GUISE_FIELD(Published, on_loss),
    GUISE_FIELD(Published, bells_in_use),
    GUISE_FIELD(Published, overlay_offset),
    GUISE_FIELD(Published, overlay_old_offset),
    GUISE_FIELD(Published, overlay_log2),
    GUISE_FIELD(Published, overlay_old_log2),
    GUISE_FIELD(Published, flags),
    GUISE_FIELD(Published, owner_from),
    GUISE_FIELD(Published, owner_to),
    GUISE_FIELD(Published, group_from),
    GUISE_FIELD(Published, group_to),
    GUISE_FIELD(Published, rewrite_after),
    GUISE_FIELD(ReplyLine, answer),
    GUISE_FIELD(ReplyLine, verb),
    GUISE_FIELD(ReplyLine, nr),
    GUISE_FIELD(ReplyLine, args),
    GUISE_FIELD(Action, verb),
    GUISE_FIELD(Action, count),
    GUISE_FIELD(Action, from),
    GUISE_FIELD(Action, nr),
    GUISE_FIELD(Action, differ),
    GUISE_FIELD(Action, asks),
    GUISE_FIELD(Action, tested),
    GUISE_FIELD(Action, constants),
    GUISE_FIELD(DirectWord, way),
    GUISE_FIELD(DirectWord, counter),
    GUISE_FIELD(DirectWord, nr),
    GUISE_FIELD(DirectWord, value),
    GUISE_ALTERNATIVE(Action, value),
    GUISE_ALTERNATIVE(Action, bits),
    GUISE_FIELD(ReplyGroup, header),
    GUISE_FIELD(ReplyGroup, keeper),
    GUISE_FIELD(ReplyGroup, published),
    GUISE_FIELD(ReplyGroup, reclaimed_slots),
    GUISE_FIELD(ReplyGroup, reclaimed_threads),
    GUISE_FIELD(ReplyGroup, reclaimed_processes),
    GUISE_FIELD(ReplyGroup, lines),
    GUISE_FIELD(ReplyGroup, parked),
    GUISE_FIELD(ReplyGroup, placement),
    GUISE_FIELD(ReplyGroup, action),
    GUISE_FIELD(ReplyGroup, reclaims),
    GUISE_FIELD(ReplyGroup, reserved),
    GUISE_FIELD(ReplyGroup, kernel),
    GUISE_FIELD(ReplyGroup, hiding),
    GUISE_FIELD(ReplyGroup, books_before),
    GUISE_FIELD(ReplyGroup, reserved_too),
    GUISE_FIELD(KernelLook, release),
    GUISE_FIELD(KernelLook, version),
    GUISE_FIELD(KernelLook, vsyscall),
    GUISE_FIELD(Hiding, device),
    GUISE_FIELD(Hiding, inodes),
    GUISE_FIELD(Hiding, names),
    GUISE_FIELD(Identity, sequence),
    GUISE_FIELD(Identity, generation),
    GUISE_FIELD(Identity, uid),
    GUISE_FIELD(Identity, gid),
    GUISE_FIELD(Identity, reserved),
    GUISE_FIELD(OverlayEntry, sequence),
    GUISE_FIELD(OverlayEntry, dev),
    GUISE_FIELD(OverlayEntry, ino),
    GUISE_FIELD(OverlayEntry, birth_seconds),
    GUISE_FIELD(OverlayEntry, birth_nanoseconds),
    GUISE_FIELD(OverlayEntry, fields),
    GUISE_FIELD(OverlayEntry, uid),
    GUISE_FIELD(OverlayEntry, gid),
    GUISE_FIELD(OverlayEntry, type),
    GUISE_FIELD(OverlayEntry, rdev),
    GUISE_FIELD(InodeKey, ino),
    GUISE_FIELD(InodeKey, birth_seconds),
    GUISE_FIELD(InodeKey, birth_nanoseconds),
    GUISE_FIELD(InodeKey, dev),
    GUISE_FIELD(OverlayValue, fields),
    GUISE_FIELD(OverlayValue, uid),
    GUISE_FIELD(OverlayValue, gid),
    GUISE_FIELD(OverlayValue, type),
    GUISE_FIELD(OverlayValue, rdev),
    GUISE_FIELD(StoreHeader, magic),
    GUISE_FIELD(StoreHeader, abi_min),
    GUISE_FIELD(StoreHeader, abi_max),
    GUISE_FIELD(StoreHeader, session),
    GUISE_FIELD(StoreHeader, features),
    GUISE_FIELD(StoreHeader, size),
    GUISE_FIELD(StoreHeader, server_generation),
    GUISE_FIELD(StoreHeader, epoch),
    GUISE_FIELD(StoreHeader, inode_log2),
    GUISE_FIELD(StoreHeader, inode_old_log2),
    GUISE_FIELD(StoreHeader, inode_offset),
    GUISE_FIELD(StoreHeader, inode_old_offset),
    GUISE_FIELD(StoreHeader, inode_count),
    GUISE_FIELD(StoreHeader, inode_migrated),
    GUISE_FIELD(StoreHeader, heap_used),
    GUISE_FIELD(StoreHeader, host_ids),
    GUISE_FIELD(StoreHeader, stack),
    GUISE_FIELD(StoreHeader, notifications),
    GUISE_FIELD(StoreHeader, attributes),
    GUISE_FIELD(StoreHeader, reserved),
    GUISE_FIELD(IdentityValue, uid),
    GUISE_FIELD(IdentityValue, gid),
    GUISE_FIELD(IdentityValue, group_count),
    GUISE_FIELD(IdentityValue, groups_offset),
    GUISE_FIELD(IdentityValue, permitted),
    GUISE_FIELD(IdentityValue, effective),
    GUISE_FIELD(IdentityValue, inheritable),
    GUISE_FIELD(IdentityValue, groups),
    GUISE_FIELD(AttributeBlock, key),
    GUISE_FIELD(AttributeBlock, before),
    GUISE_FIELD(AttributeBlock, names),
    GUISE_FIELD(AttributeBlock, values),
    GUISE_FIELD(Change, kind),
    GUISE_FIELD(Change, process),
    GUISE_FIELD(Change, generation),
    GUISE_FIELD(Change, execs),
    GUISE_FIELD(Change, identity),
    GUISE_ALTERNATIVE(Change, inode.key),
    GUISE_ALTERNATIVE(Change, inode.value),
    GUISE_ALTERNATIVE(Change, block),
    GUISE_FIELD(LoggedStep, key),
    GUISE_FIELD(LoggedStep, result),
    GUISE_FIELD(SlotLog, steps),
    GUISE_FIELD(SlotLog, commit),
    GUISE_FIELD(SlotLog, applied),
    GUISE_FIELD(SlotLog, result),
    GUISE_FIELD(SlotLog, changes),
    GUISE_FIELD(SlotLog, reserved),
    GUISE_FIELD(SlotLog, change),
    GUISE_FIELD(StoredIdentity, generation),
    GUISE_FIELD(StoredIdentity, execs),
    GUISE_FIELD(StoredIdentity, value),
    GUISE_FIELD(FdMessage, magic),
    GUISE_FIELD(FdMessage, version),
    GUISE_FIELD(FdMessage, op),
    GUISE_FIELD(FdMessage, session),
    GUISE_FIELD(FdMessage, error),
    GUISE_FIELD(FdMessage, pid),
    GUISE_FIELD(FdMessage, reserved),
};

#undef GUISE_STRUCT
#undef GUISE_FIELD
#undef GUISE_ALTERNATIVE

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_LAYOUT_FIELDS_H_
