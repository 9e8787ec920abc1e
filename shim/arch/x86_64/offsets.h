// Offsets that the assembly shares with C++; thread.h asserts them.
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

#define GUISE_STUBS 8192
#define GUISE_STUB_SIZE 8

#endif  // GUISE_SHIM_ARCH_X86_64_OFFSETS_H_
