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
    // Of few bytes the first and the last, which may overlap: a string instruction takes longer to begin than these.
    lea -4(%rdx), %rax
    cmp $12, %rax
    ja 5f
    cmp $8, %rdx
    jb 3f
1:  mov (%rsi), %rax
11: mov -8(%rsi,%rdx), %rcx
2:  mov %rax, (%rdi)
12: mov %rcx, -8(%rdi,%rdx)
    xor %eax, %eax
    ret
3:  mov (%rsi), %eax
13: mov -4(%rsi,%rdx), %ecx
4:  mov %eax, (%rdi)
14: mov %ecx, -4(%rdi,%rdx)
    xor %eax, %eax
    ret
    // How many, where not all can be.
5:  mov %rdx, %rcx
6:  rep movsb
7:  mov %rcx, %rax
    ret
    .irp at, 1b, 11b, 2b, 12b, 3b, 13b, 4b, 14b
    fault_entry \at, 5b
    .endr
    fault_entry 6b, 7b
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

// int64_t guise_load_xstate(const void* area, uint64_t features): 0, or -14 where there is no state that the CPU takes.
    .globl guise_load_xstate
    .hidden guise_load_xstate
    .type guise_load_xstate, @function
guise_load_xstate:
    mov %esi, %eax
    mov %rsi, %rdx
    shr $32, %rdx
1:  xrstor64 (%rdi)
    xor %eax, %eax
    ret
2:  mov $-14, %rax
    ret
    fault_entry 1b, 2b
    .size guise_load_xstate, . - guise_load_xstate

// int64_t guise_has_two_dots(const char* text): 1 when two dots stand side by side in it, else 0; 0 on a bad address.
// Whole words, aligned: none reaches into a page that the text does not. Of each, the bytes that are dots and those that
// are NUL, as bit 7 of the byte.
    .globl guise_has_two_dots
    .hidden guise_has_two_dots
    .type guise_has_two_dots, @function
guise_has_two_dots:
    movabs $0x2e2e2e2e2e2e2e2e, %r8
    movabs $0x7f7f7f7f7f7f7f7f, %r9
    xor %r10d, %r10d
    // What lies before the text is neither.
    mov %edi, %ecx
    and $7, %ecx
    shl $3, %ecx
    mov $-1, %rdx
    shl %cl, %rdx
    not %rdx
    and $-8, %rdi
1:  mov (%rdi), %rax
    or %rdx, %rax
    xor %edx, %edx
    mov %rax, %rcx
    and %r9, %rcx
    add %r9, %rcx
    or %rax, %rcx
    or %r9, %rcx
    not %rcx
    xor %r8, %rax
    mov %rax, %rsi
    and %r9, %rsi
    add %r9, %rsi
    or %rax, %rsi
    or %r9, %rsi
    not %rsi
    // Those behind another dot, and before the NUL.
    mov %rsi, %rax
    shl $8, %rax
    or %r10, %rax
    and %rsi, %rax
    mov %rsi, %r10
    shr $56, %r10
    lea -1(%rcx), %r11
    and %r11, %rax
    jnz 3f
    add $8, %rdi
    test %rcx, %rcx
    jz 1b
2:  xor %eax, %eax
    ret
3:  mov $1, %eax
    ret
    fault_entry 1b, 2b
    .size guise_has_two_dots, . - guise_has_two_dots

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
