// One stub per syscall site: the native call, then back to the guest. The way back is data (guise_stub_returns), so that
// no stub needs to be written at run time, and nothing is ever written to the guest's stack.
#include "shim/arch/x86_64/offsets.h"

    .text
    .p2align 6
    .globl guise_stubs, guise_stubs_end
    .hidden guise_stubs, guise_stubs_end
guise_stubs:
    .set stub, 0
    .rept GUISE_STUBS
    syscall
    jmp *(guise_stub_returns + 8 * stub)(%rip)
    .set stub, stub + 1
    .endr
guise_stubs_end:

    .bss
    .p2align 12
    .globl guise_stub_returns
    .hidden guise_stub_returns
    .type guise_stub_returns, @object
guise_stub_returns:
    .zero 8 * GUISE_STUBS
    .size guise_stub_returns, . - guise_stub_returns
    .section .note.GNU-stack, "", @progbits
