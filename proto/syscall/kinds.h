// The words in which a syscall is described: what it answers (Result), how it behaves (Trait) and what each of its
// arguments is (ArgKind, Arg). x86_64.def is written in them, table.h holds the rows.
//
// Freestanding: no libc, no pointers in constant data, so that the shim's image stays free of relocations. What
// prints these words (names.h) is hosted.
//
// The lists are X-macros, so that enumerators, printed names and docs/SYSCALLS.md cannot part. Only names.cc expands
// the texts.
#ifndef GUISE_PROTO_SYSCALL_KINDS_H_
#define GUISE_PROTO_SYSCALL_KINDS_H_

#include <stdint.h>

namespace guise::syscall {

// What a result that is not an error (-4095..-1) means.
// clang-format off
#define GUISE_SYSCALL_RESULTS(X)                                        \
  X(Zero,     "0")                                                      \
  X(Int,      "a small number; not one of those below")                 \
  X(Fd,       "a new file descriptor of the calling process")           \
  X(Bytes,    "a number of bytes")                                      \
  X(Count,    "a number of elements, events, tasks woken")              \
  X(Addr,     "an address")                                             \
  X(Pid,      "a process, thread, group or session id, or 0")           \
  X(Uid,      "a user id")                                              \
  X(Gid,      "a group id")                                             \
  X(Offset,   "a file offset")                                          \
  X(Mode,     "permission bits")                                        \
  X(Id,       "a name that later calls take: IPC id, watch, key, pkey") \
  X(Time,     "seconds (alarm, time) or clock ticks (times)")           \
  X(Raw,      "depends on a command or on flags; may be an fd")         \
  X(NoReturn, "does not return")                                        \
  X(Nosys,    "no kernel ever answered it")
// clang-format on

enum class Result : uint8_t {
#define X(name, ...) name,
  GUISE_SYSCALL_RESULTS(X)
#undef X
};

// How a call behaves. The order is the order in which names.h and the docs print them.
// clang-format off
#define GUISE_SYSCALL_TRAITS(X)                                                                                    \
  X(MayBlock,         "may sleep without bound for a peer, a timer, a lock or a signal; disk I/O alone is not it") \
  X(Restartable,      "ERESTARTSYS: a handler with SA_RESTART restarts it, another gives EINTR")                   \
  X(RestartNoHand,    "ERESTARTNOHAND: restarts only when no handler ran, whatever SA_RESTART says")               \
  X(RestartBlock,     "ERESTART_RESTARTBLOCK: the same, through restart_syscall with the time that is left")       \
  X(CallerOnly,       "run by the shim itself in the guest's own context; never crosses the server channel")       \
  X(ChangesMemoryMap, "maps, unmaps, protects, seals or drops pages of the caller")                                \
  X(Sensitive,        "privileged, or changes credentials, confinement or another's memory; policies look at it")  \
  X(SystemWide,       "acts on the machine or a whole namespace: a fuzzer must not try it outside a sandbox")      \
  X(TempMask,         "installs a signal mask while it waits")                                                     \
  X(MakesFd,          "may add to the caller's fd table, also as a side effect or for one command only")           \
  X(ClosesFd,         "may take from the caller's fd table")                                                       \
  X(CreatesTask,      "returns twice: in the caller and in a new process or thread")                               \
  X(Vdso,             "the vDSO of some kernel answers it without entering the kernel")                            \
  X(Obsolete,         "superseded or deprecated, and still answered by current kernels")                           \
  X(Removed,          "had an implementation once; current kernels answer ENOSYS")                                 \
  X(NeverWired,       "a number only: no kernel since 2.6 implements it for 64-bit callers")                       \
  X(NotInGeneric,     "absent from the asm-generic table, which newer architectures use")                          \
  X(ArchSpecific,     "has a meaning on x86 only")                                                                 \
  X(ConfigDependent,  "a kernel may be built without it and then answers ENOSYS (kernel/sys_ni.c)")
// clang-format on

namespace internal {
enum class TraitBit : uint8_t {
#define X(name, ...) name,
  GUISE_SYSCALL_TRAITS(X)
#undef X
};
}  // namespace internal

enum class Trait : uint32_t {
#define X(name, ...) name = uint32_t{1} << static_cast<uint8_t>(internal::TraitBit::name),
  GUISE_SYSCALL_TRAITS(X)
#undef X
};

// A set of traits.
struct Traits {
  uint32_t bits = 0;

  constexpr Traits() = default;
  constexpr Traits(Trait trait) : bits(static_cast<uint32_t>(trait)) {}  // NOLINT: a trait is a set of one

  constexpr bool Has(Trait trait) const { return (bits & static_cast<uint32_t>(trait)) != 0; }
  constexpr bool HasAny(Traits of) const { return (bits & of.bits) != 0; }
  constexpr bool HasAll(Traits of) const { return (bits & of.bits) == of.bits; }

  friend constexpr Traits operator|(Traits a, Traits b) {
    a.bits |= b.bits;
    return a;
  }
  friend constexpr bool operator==(Traits a, Traits b) { return a.bits == b.bits; }
};
constexpr Traits operator|(Trait a, Trait b) { return Traits(a) | Traits(b); }

// Arguments that are values. The kernel takes them in the width given here and ignores the register's upper bits.
// clang-format off
#define GUISE_SYSCALL_VALUE_KINDS(X)                                                                  \
  X(Fd, 32,        "a file descriptor; some calls take -1 for none")                                  \
  X(DirFd, 32,     "a directory's descriptor or AT_FDCWD; belongs to the Path after it")              \
  X(Int, 32,       "a signed number")                                                                 \
  X(UInt, 32,      "an unsigned number")                                                              \
  X(Long, 64,      "a signed number")                                                                 \
  X(ULong, 64,     "an unsigned number")                                                              \
  X(Size, 64,      "a length or count, unsigned")                                                     \
  X(SSize, 64,     "a length or count; the kernel refuses negative ones")                             \
  X(Size32, 32,    "a length or count, unsigned")                                                     \
  X(SSize32, 32,   "a length or count; the kernel refuses negative ones")                             \
  X(Flags, 32,     "a set of bits")                                                                   \
  X(FlagsLong, 64, "a set of bits")                                                                   \
  X(Command, 32,   "selects what the call does and what its Ptr arguments are; ptrace's has 64 bits") \
  X(Mode, 16,      "permission bits and, for mknod, the file type")                                   \
  X(Uid, 32,       "a user id; -1 often means unchanged")                                             \
  X(Gid, 32,       "a group id; likewise")                                                            \
  X(Pid, 32,       "a process, thread or group id; 0 and negative ones as the call says")             \
  X(Signal, 32,    "a signal number")                                                                 \
  X(Offset, 64,    "a file offset or file length, signed")                                            \
  X(Addr, 64,      "an address as a value: not read or written by the call itself")                   \
  X(Unused, 0,     "has a place in the prototype; the kernel ignores it")
// clang-format on

// Arguments that point to memory of the caller. `In`: the kernel reads. `Out`: it writes, at most so much.
// link: the position of the argument that holds length or count. bytes: as said in each line.
// clang-format off
#define GUISE_SYSCALL_POINTER_KINDS(X)                                                                            \
  X(Path, In,           "a NUL-terminated path of at most 4096 bytes with its NUL, else ENAMETOOLONG")            \
  X(Str, In,            "a NUL-terminated string; bytes: its limit with the NUL, 0 for none")                     \
  X(StrVec, In,         "a NULL-terminated vector of strings (argv, envp)")                                       \
  X(BufIn, In,          "bytes + argument[link] bytes; bytes is a fixed prefix, mostly 0")                        \
  X(BufOut, Out,        "likewise")                                                                               \
  X(BufOutVar, Out,     "as many bytes as the number behind the LenPtr at link says")                             \
  X(StructIn, In,       "bytes")                                                                                  \
  X(StructOut, Out,     "bytes")                                                                                  \
  X(StructInOut, InOut, "bytes")                                                                                  \
  X(SizedIn, InOut,     "its size is the u32 at offset bytes; the kernel writes that u32 on E2BIG")               \
  X(ArrayIn, In,        "argument[link] elements of bytes; pointers inside are not followed")                     \
  X(ArrayOut, Out,      "likewise")                                                                               \
  X(ArrayInOut, InOut,  "likewise")                                                                               \
  X(IovecIn, In,        "argument[link] struct iovec (16 bytes); the buffers are read")                           \
  X(IovecOut, Out,      "likewise; the iovecs are read, the buffers written")                                     \
  X(MsgHdrIn, In,       "struct msghdr (56 bytes) with name, iovecs and control, all read")                       \
  X(MsgHdrOut, InOut,   "likewise; buffers, name, control, lengths and flags are written")                        \
  X(MMsgHdrIn, InOut,   "argument[link] struct mmsghdr (64 bytes); msg_len is written")                           \
  X(MMsgHdrOut, InOut,  "likewise; see MsgHdrOut")                                                                \
  X(SockAddrIn, In,     "argument[link] bytes of a socket address")                                               \
  X(SockAddrOut, Out,   "as many bytes as the number behind the LenPtr at link says")                             \
  X(LenPtr, InOut,      "a 32-bit length: in the room there is, out what was needed")                             \
  X(SigSetIn, In,       "argument[link] bytes, which must be 8")                                                  \
  X(SigSetOut, Out,     "argument[link] bytes, at most 8")                                                        \
  X(SigSetPack, In,     "{const sigset *set; size_t bytes}: 16 bytes; set may be NULL")                           \
  X(FdSet, InOut,       "argument[link] bits, in whole words of 64; no more than the fd table has")               \
  X(BitsIn, In,         "argument[link] - 1 bits, in whole words of 64 (node masks)")                             \
  X(BitsOut, Out,       "likewise")                                                                               \
  X(PagesOut, Out,      "a byte for each page of argument[link] bytes (mincore)")                                 \
  X(HandleIn, In,       "struct file_handle: 8 bytes and as many as its first u32 says")                          \
  X(HandleInOut, InOut, "likewise; on EOVERFLOW only the 8 bytes are written")                                   \
  X(CapsIn, In,         "capability words: 12 bytes for version 1 of the header at link, else 24")                \
  X(CapsOut, Out,       "likewise")                                                                               \
  X(XattrIn, In,        "struct xattr_args in argument[link] bytes: {u64 value; u32 size, flags}; value is read") \
  X(XattrOut, Out,      "likewise; struct read, value written")                                                   \
  X(FutexWord, InOut,   "a shared 32-bit word, used in place: a copy would lose its meaning")                     \
  X(Ptr, Opaque,        "a value or an address by command, identity or file system; see x86_64.def")
// clang-format on

enum class ArgKind : uint8_t {
  None,  // no such argument
#define X(name, ...) name,
  GUISE_SYSCALL_VALUE_KINDS(X) GUISE_SYSCALL_POINTER_KINDS(X)
#undef X
};

// Which way memory behind an argument is used.
enum class Access : uint8_t { Value, In, Out, InOut, Opaque };

constexpr Access AccessOf(ArgKind kind) {
  switch (kind) {
#define X(name, access, doc) \
  case ArgKind::name:        \
    return Access::access;
    GUISE_SYSCALL_POINTER_KINDS(X)
#undef X
    default:
      return Access::Value;
  }
}

// Bits of the register that the kernel looks at. Pointers: 64.
constexpr uint32_t WidthOf(ArgKind kind) {
  switch (kind) {
    case ArgKind::None:
      return 0;
#define X(name, width, doc) \
  case ArgKind::name:       \
    return width;
      GUISE_SYSCALL_VALUE_KINDS(X)
#undef X
    default:
      return 64;
  }
}

// A length or count that another argument can link to.
constexpr bool IsSize(ArgKind kind) {
  return kind == ArgKind::Size || kind == ArgKind::SSize || kind == ArgKind::Size32 || kind == ArgKind::SSize32;
}

// One argument of one call.
struct Arg {
  static constexpr uint8_t kNoLink = 0xff;

  ArgKind kind = ArgKind::None;
  uint8_t link = kNoLink;  // position of the argument that this one refers to
  uint16_t bytes = 0;      // by kind: size, element size, limit, prefix or offset of the size
  // NULL is allowed and means "none", perhaps for some commands or flags only. Otherwise NULL gives EFAULT, or EINVAL
  // where a call checks for it (futex_waitv, sched_*, timer_settime); but a length of zero allows any pointer.
  bool nullable = false;
  bool result_bounded = false;  // of the output, only min(length, result) bytes or elements are written

  constexpr bool exists() const { return kind != ArgKind::None; }
  constexpr bool has_link() const { return link != kNoLink; }
  constexpr Access access() const { return AccessOf(kind); }
  constexpr bool is_pointer() const { return access() != Access::Value; }
  friend constexpr bool operator==(const Arg&, const Arg&) = default;
};
static_assert(sizeof(Arg) == 6, "an image holds one for each argument of each call");

}  // namespace guise::syscall

#endif  // GUISE_PROTO_SYSCALL_KINDS_H_
