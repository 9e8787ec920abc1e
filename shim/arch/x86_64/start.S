// Entry of the image: the kernel's initial stack is at rsp. The loader edits it in place and says where to go. It runs on
// the stack that signal handlers use then, so that no other pages are touched.
#include "shim/arch/x86_64/offsets.h"

    .text
    .globl _start
    .hidden _start
    .type _start, @function
_start:
    xor %ebp, %ebp
    mov %rsp, %rdi
    lea guise_first_block + GUISE_LOADER_STACK(%rip), %rsp
    call guise_load
    // The stack pointer for rt_sigreturn(2), behind a frame's return address.
    mov %rax, %rsp
    jmp guise_restorer
    .size _start, . - _start
    .section .note.GNU-stack, "", @progbits
