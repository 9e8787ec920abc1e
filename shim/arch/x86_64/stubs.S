// One stub per syscall site: the native call, then back to the guest. The way back is data (guise_stub_entries), so that
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
    // As after a real syscall instruction, rcx holds the return address.
    mov (guise_stub_entries + GUISE_STUB_ENTRY_SIZE * stub)(%rip), %rcx
    jmp *%rcx
    .p2align 4, 0xcc
    .set stub, stub + 1
    .endr
guise_stubs_end:

    .section .bss.tables, "aw", @nobits
    .p2align 12
    .globl guise_stub_entries
    .hidden guise_stub_entries
    .type guise_stub_entries, @object
guise_stub_entries:
    .zero GUISE_STUB_ENTRY_SIZE * GUISE_STUBS
    .size guise_stub_entries, . - guise_stub_entries

// Stubs of rewritten sites (rewrite/areas.cc), the image's last part: to protect it makes one mapping more, not two.
    .section .bss.last, "aw", @nobits
    .p2align 12
    .globl guise_near_area
    .hidden guise_near_area
    .type guise_near_area, @object
guise_near_area:
    .zero GUISE_NEAR_AREA
    .size guise_near_area, . - guise_near_area

    .section .note.GNU-stack, "", @progbits
