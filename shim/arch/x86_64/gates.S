// Where a thread goes from the SIGSYS handler when the call is more than "native, in place" or "answered", and the parts
// with the other gates.
//
// Registers of the guest are in the thread's block (rbx), as they were at the site. Signals that arrive here are
// presented to the guest by signal/present.cc as before or after the site; the labels below are its map.
//
// The order is meant. From guise_tail_gate up to guise_exit_gate all calls are guests' (filter/guest_filters.cc), from
// guise_step_gate up to guise_thread_exit_gate C++ has called, and the restorer is the last (shim/gdb/guise_gdb.py).
#include "shim/arch/x86_64/gate_macros.h"
#include "shim/arch/x86_64/offsets.h"

    .text
    // For debuggers: where C++ is called back, its frames are found. All else is a guest's (shim/gdb).
    .cfi_sections .debug_frame

// A call with other arguments or another number than the guest's: Tail and Fold.
gate guise_tail_gate
    syscall
gate guise_tail_gate_after
    mov GUISE_RDI(%rbx), %rdi
    mov GUISE_RSI(%rbx), %rsi
    mov GUISE_RDX(%rbx), %rdx
    mov GUISE_R10(%rbx), %r10
    mov GUISE_R8(%rbx), %r8
    mov GUISE_R9(%rbx), %r9
    // As after a real syscall instruction, rcx holds the return address; where a stub is to go on, the stub sees to it.
    mov GUISE_RESUME(%rbx), %rcx
    mov GUISE_RBX(%rbx), %rbx
    jmp *%rcx
gate guise_tail_gate_end

#include "shim/arch/x86_64/site_gates.inc"
#include "shim/arch/x86_64/direct_gates.inc"

// The image's execveat; it comes back only when it has failed. All signals are blocked. rbx: the block.
gate guise_exec_gate
    syscall
    mov %rbx, %rdi
    mov %rax, %rsi
    lea -64(%rbx), %rsp
    pushq $2
    popfq
    call guise_exec_failed
    jmp guise_exit_gate

// fork, vfork, clone, clone3. All signals are blocked. rbx: the parent's block; rbp: the child's (the same for fork).
gate guise_clone_gate
    syscall
    test %rax, %rax
    jz 1f
    mov %rbx, %rdi
    mov %rax, %rsi
    lea -64(%rbx), %rsp
    // The guest's direction and alignment flags are none of C++'s.
    pushq $2
    popfq
    call guise_clone_parent
    jmp guise_exit_gate
1:
    mov %rbp, %rbx
    mov %rbx, %rdi
    lea -64(%rbx), %rsp
    xor %ebp, %ebp
    pushq $2
    popfq
    call guise_clone_child

// Back to the guest with all registers from the block, then its signal mask. From the unblocking on, a signal finds the
// guest's state in the block.
gate guise_exit_gate
    mov $14, %eax
    mov $2, %edi
    lea GUISE_MASK(%rbx), %rsi
    xor %edx, %edx
    mov $8, %r10d
    syscall
gate guise_exit_gate_after
    load_guest GUISE_EFLAGS, GUISE_RESUME
    jmp *%rcx
gate guise_exit_gate_end

// Back to the guest from a handler of the shim, instead of rt_sigreturn(2): see gates.h. Once the mask is in force, a
// signal finds the guest's state in the block.
gate guise_return_gate
    mov %rdi, %rbx
    lea -64(%rbx), %rsp
    mov $14, %eax
    mov $2, %edi
    lea GUISE_MASK(%rbx), %rsi
    xor %edx, %edx
    mov $8, %r10d
    syscall
gate guise_return_gate_after
    load_all
gate guise_return_gate_end

#include "shim/arch/x86_64/call_gates.inc"

// The same with a stack pointer that lies in no stack. All signals are blocked.
gate guise_perform_off_stack
    .cfi_startproc
    push %r12
    .cfi_def_cfa_offset 16
    .cfi_offset %r12, -16
    mov %rsp, %r12
    .cfi_def_cfa_register %r12
    load_call %rdi
    xor %esp, %esp
    syscall
    mov %r12, %rsp
    .cfi_def_cfa_register %rsp
    pop %r12
    .cfi_restore %r12
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc

// A thread's end. All signals are blocked: from the store on, another thread may take the block.
gate guise_thread_exit_gate
    movl $0, GUISE_IN_USE(%rbx)
    syscall
    ud2

// The restorer of the shim's handlers. Unwinders know these nine bytes.
    .p2align 4
gate guise_restorer
    mov $15, %rax
    syscall
    ud2

    .section .note.GNU-stack, "", @progbits
