// Offsets that the assembly shares with C++, which asserts them where it declares what they lead to.
#ifndef GUISE_SHIM_ARCH_X86_64_OFFSETS_H_
#define GUISE_SHIM_ARCH_X86_64_OFFSETS_H_

// GuestRegs, at the start of a ThreadBlock: the order of the kernel's struct sigcontext_64.
#define GUISE_R8 0
#define GUISE_R9 8
#define GUISE_R10 16
#define GUISE_R11 24
#define GUISE_R12 32
#define GUISE_R13 40
#define GUISE_R14 48
#define GUISE_R15 56
#define GUISE_RDI 64
#define GUISE_RSI 72
#define GUISE_RBP 80
#define GUISE_RBX 88
#define GUISE_RDX 96
#define GUISE_RAX 104
#define GUISE_RCX 112
#define GUISE_RSP 120
#define GUISE_RIP 128
#define GUISE_EFLAGS 136
// ThreadBlock
#define GUISE_MASK 144
#define GUISE_IN_USE 152
#define GUISE_COOKIE 156
#define GUISE_DIRECT 160
#define GUISE_CALLS 168
#define GUISE_SELF 176
#define GUISE_BELOW_GUARDED 184
#define GUISE_SITE 188
#define GUISE_RESUME 192
#define GUISE_HAS_INTERRUPTION 200
#define GUISE_IN_GATE 201
#define GUISE_HAS_TEMP_MASK 202
#define GUISE_TAIL 208
#define GUISE_LEAVE_TO 264
#define GUISE_FOLD_WORDS 272
#define GUISE_BLOCKED_FAULTS 400
#define GUISE_COUNTER 408
#define GUISE_FOLD_FLAGS 416

// What a thread's block holds at GUISE_COOKIE, so that a stub knows %gs for the shim's.
#define GUISE_COOKIE_VALUE 0x5e15e6d9

#define GUISE_STUBS 8192
#define GUISE_STUB_SIZE 16
#define GUISE_STUB_ENTRY_SHIFT 4
#define GUISE_STUB_ENTRY_SIZE (1 << GUISE_STUB_ENTRY_SHIFT)

// ABI: errno(3).
#define GUISE_EPERM 1
#define GUISE_EACCES 13

// Of the wire: kTableNumbers, DirectWay.
#define GUISE_TABLE_NUMBERS 1024
#define GUISE_WAY_VALUE 1
#define GUISE_WAY_FOLD 3
#define GUISE_WAY_ATTEMPT 4

// How the paths begin that view/proc.h may know: "/pro" and "/dev".
#define GUISE_PATH_PROC 0x6f72702f
#define GUISE_PATH_DEV 0x7665642f

#define GUISE_NEAR_AREA 0x40000

// Where the loader's stack begins in the first block: with a page of it, whose rest is the block's.
#define GUISE_LOADER_STACK 0xf000

// Flags of the guest's that are none of C++'s, and that take a popfq: trap, direction, nested task, alignment check.
#define GUISE_ODD_FLAGS 0x44500

// What guise_wait_gate returns when it has not made the call: ERESTARTSYS, which the kernel tells nobody.
#define GUISE_NOT_MADE (-512)

#endif  // GUISE_SHIM_ARCH_X86_64_OFFSETS_H_
