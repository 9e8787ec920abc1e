// Copies to and from guest memory. A fault at an instruction of the fault table continues at its fixup (signal/fault.cc),
// so a bad guest pointer is a result, not a death.
#include "shim/arch/x86_64/fault_table.h"
#include "shim/arch/x86_64/offsets.h"

    .text
// size_t guise_copy(void* to, const void* from, size_t size): bytes NOT copied.
    .globl guise_copy
    .hidden guise_copy
    .type guise_copy, @function
guise_copy:
    mov %rdx, %rcx
1:  rep movsb
2:  mov %rcx, %rax
    ret
    fault_entry 1b, 2b
    .size guise_copy, . - guise_copy

// int64_t guise_copy_string(char* to, const char* from, size_t size): the length without NUL; size when no NUL came
// within size bytes; -14 (EFAULT) on a bad address.
    .globl guise_copy_string
    .hidden guise_copy_string
    .type guise_copy_string, @function
guise_copy_string:
    xor %eax, %eax
1:  cmp %rdx, %rax
    jae 4f
2:  movb (%rsi,%rax), %cl
    movb %cl, (%rdi,%rax)
    test %cl, %cl
    jz 4f
    inc %rax
    jmp 1b
3:  mov $-14, %rax
4:  ret
    fault_entry 2b, 3b
    .size guise_copy_string, . - guise_copy_string

// uint64_t guise_prefix(uint64_t from): the first five bytes as a little-endian number; 0 on a bad address.
    .globl guise_prefix
    .hidden guise_prefix
    .type guise_prefix, @function
guise_prefix:
    xor %eax, %eax
1:  movzbl 4(%rdi), %ecx
2:  mov (%rdi), %eax
    shl $32, %rcx
    or %rcx, %rax
3:  ret
    fault_entry 1b, 3b
    fault_entry 2b, 3b
    .size guise_prefix, . - guise_prefix

// const void* guise_gs_self(): the block that %gs says it is; null where there is no memory.
    .globl guise_gs_self
    .hidden guise_gs_self
    .type guise_gs_self, @function
guise_gs_self:
    xor %eax, %eax
1:  mov %gs:GUISE_SELF, %rax
2:  ret
    fault_entry 1b, 2b
    .size guise_gs_self, . - guise_gs_self

    .section .note.GNU-stack, "", @progbits
