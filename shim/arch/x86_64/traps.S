// In front of what dispatch lets through (the linker puts .init there): a thread at trap i is caught as if it were at the
// site of stub i. The last is no site's.
#include "shim/arch/x86_64/offsets.h"

    .section .init, "ax", @progbits
    .globl guise_traps, guise_deliver_trap, guise_traps_end
    .hidden guise_traps, guise_deliver_trap, guise_traps_end
guise_traps:
    .rept GUISE_STUBS
    syscall
    .endr
guise_deliver_trap:
    syscall
    // Dispatch goes by the address behind the instruction.
    ud2
guise_traps_end:

    .section .note.GNU-stack, "", @progbits
