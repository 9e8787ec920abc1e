// Entry of the image: the kernel's initial stack is at rsp. The loader edits it in place and says where to go.
    .text
    .globl _start
    .hidden _start
    .type _start, @function
_start:
    xor %ebp, %ebp
    mov %rsp, %rdi
    and $-16, %rsp
    // A struct of two words comes back in rax (entry) and rdx (stack pointer).
    call guise_load
    mov %rdx, %rsp
    mov %rax, %rcx
    // A program starts with cleared registers. ABI: ELF_PLAT_INIT, arch/x86/include/asm/elf.h. rdx != 0 would be taken
    // for a function to call at exit.
    xor %eax, %eax
    xor %ebx, %ebx
    xor %edx, %edx
    xor %esi, %esi
    xor %edi, %edi
    xor %ebp, %ebp
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    jmp *%rcx
    .size _start, . - _start
    .section .note.GNU-stack, "", @progbits
