// Entry of the image: the kernel's initial stack is at rsp. The loader edits it in place and says where to go.
    .text
    .globl _start
    .hidden _start
    .type _start, @function
_start:
    xor %ebp, %ebp
    mov %rsp, %rdi
    and $-16, %rsp
    call guise_load
    // The stack pointer for rt_sigreturn(2), behind a frame's return address.
    mov %rax, %rsp
    jmp guise_restorer
    .size _start, . - _start
    .section .note.GNU-stack, "", @progbits
