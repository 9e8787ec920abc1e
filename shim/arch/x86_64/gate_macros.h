// clang-format off
// For assembly: what gates share.
#ifndef GUISE_SHIM_ARCH_X86_64_GATE_MACROS_H_
#define GUISE_SHIM_ARCH_X86_64_GATE_MACROS_H_

#include "shim/arch/x86_64/offsets.h"

#ifdef __ASSEMBLER__
    .macro gate name
    .globl \name
    .hidden \name
\name:
    .endm

// The guest's flags and registers from the block (rbx), on its stack; r11 and rcx from the fields that are named.
    .macro load_guest r11, rcx
    pushq GUISE_EFLAGS(%rbx)
    popfq
    mov GUISE_R8(%rbx), %r8
    mov GUISE_R9(%rbx), %r9
    mov GUISE_R10(%rbx), %r10
    mov \r11(%rbx), %r11
    mov GUISE_R12(%rbx), %r12
    mov GUISE_R13(%rbx), %r13
    mov GUISE_R14(%rbx), %r14
    mov GUISE_R15(%rbx), %r15
    mov GUISE_RDI(%rbx), %rdi
    mov GUISE_RSI(%rbx), %rsi
    mov GUISE_RBP(%rbx), %rbp
    mov GUISE_RDX(%rbx), %rdx
    mov GUISE_RAX(%rbx), %rax
    mov \rcx(%rbx), %rcx
    mov GUISE_RSP(%rbx), %rsp
    mov GUISE_RBX(%rbx), %rbx
    .endm

// A call, as gates.h has it, from where a register points; that may be %rdi, which comes last.
    .macro load_call from
    mov (\from), %eax
    mov 16(\from), %rsi
    mov 24(\from), %rdx
    mov 32(\from), %r10
    mov 40(\from), %r8
    mov 48(\from), %r9
    mov 8(\from), %rdi
    .endm

// To where the guest goes on, with each register. REQUIRES: %gs is the block.
    .macro load_all
    load_guest GUISE_R11, GUISE_RCX
    jmp *%gs:GUISE_RESUME
    .endm

// The guest's flags, which are in a register; changes rax. popfq takes longer than most of a gate: it is for flags that
// are rarely set.
    .macro restore_flags low, whole
    test $GUISE_ODD_FLAGS, \low
    jz 8f
    push \whole
    popfq
    jmp 9f
8:  mov \low, %eax
    mov %al, %ah
    bt $11, \low
    setc %al
    add $0x7f, %al // overflows if OF was set
    sahf
9:
    .endm
#endif

#endif  // GUISE_SHIM_ARCH_X86_64_GATE_MACROS_H_
