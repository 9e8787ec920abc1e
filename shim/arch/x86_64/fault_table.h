// clang-format off
// For assembly: an instruction that may fault, and where it then goes on (signal/fault.cc), each from the word that says
// so. The linker names the table's ends, by the section's name.
#ifndef GUISE_SHIM_ARCH_X86_64_FAULT_TABLE_H_
#define GUISE_SHIM_ARCH_X86_64_FAULT_TABLE_H_

#ifdef __ASSEMBLER__
    .macro fault_entry at, fixup
    .pushsection guise_faults, "a", @progbits
    .p2align 2
    .long \at - .
    .long \fixup - .
    .popsection
    .endm
#endif

#endif  // GUISE_SHIM_ARCH_X86_64_FAULT_TABLE_H_
