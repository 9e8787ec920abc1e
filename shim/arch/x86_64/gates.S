// Where a thread goes from the SIGSYS handler when the call is more than "native, in place" or "answered".
//
// Registers of the guest are in the thread's block (rbx), as they were at the site. Signals that arrive here are
// presented to the guest by signal/present.cc as before or after the site; the labels below are its map.
#include "shim/arch/x86_64/fault_table.h"
#include "shim/arch/x86_64/offsets.h"

    .text
    .macro gate name
    .globl \name
    .hidden \name
\name:
    .endm

// The guest's flags and registers from the block (rbx), on its stack; r11 and rcx from the fields that are named.
    .macro load_guest r11, rcx
    pushq GUISE_EFLAGS(%rbx)
    popfq
    mov GUISE_R8(%rbx), %r8
    mov GUISE_R9(%rbx), %r9
    mov GUISE_R10(%rbx), %r10
    mov \r11(%rbx), %r11
    mov GUISE_R12(%rbx), %r12
    mov GUISE_R13(%rbx), %r13
    mov GUISE_R14(%rbx), %r14
    mov GUISE_R15(%rbx), %r15
    mov GUISE_RDI(%rbx), %rdi
    mov GUISE_RSI(%rbx), %rsi
    mov GUISE_RBP(%rbx), %rbp
    mov GUISE_RDX(%rbx), %rdx
    mov GUISE_RAX(%rbx), %rax
    mov \rcx(%rbx), %rcx
    mov GUISE_RSP(%rbx), %rsp
    mov GUISE_RBX(%rbx), %rbx
    .endm

// A call, as gates.h has it, from where a register points; that may be %rdi, which comes last.
    .macro load_call from
    mov (\from), %eax
    mov 16(\from), %rsi
    mov 24(\from), %rdx
    mov 32(\from), %r10
    mov 40(\from), %r8
    mov 48(\from), %r9
    mov 8(\from), %rdi
    .endm

// To where the guest goes on, with each register. REQUIRES: %gs is the block.
    .macro load_all
    load_guest GUISE_R11, GUISE_RCX
    jmp *%gs:GUISE_RESUME
    .endm

// The guest's flags, which are in a register; changes rax. popfq takes longer than most of a gate: it is for flags that
// are rarely set.
    .macro restore_flags low, whole
    test $GUISE_ODD_FLAGS, \low
    jz 8f
    push \whole
    popfq
    jmp 9f
8:  mov \low, %eax
    mov %al, %ah
    bt $11, \low
    setc %al
    add $0x7f, %al // overflows if OF was set
    sahf
9:
    .endm

// Of the guest's registers those that are not in the block yet.
    .macro save_guest
    mov %r8, GUISE_R8(%rbx)
    mov %r9, GUISE_R9(%rbx)
    mov %r10, GUISE_R10(%rbx)
    mov %r12, GUISE_R12(%rbx)
    mov %r13, GUISE_R13(%rbx)
    mov %r14, GUISE_R14(%rbx)
    mov %r15, GUISE_R15(%rbx)
    mov %rdi, GUISE_RDI(%rbx)
    mov %rsi, GUISE_RSI(%rbx)
    mov %rbp, GUISE_RBP(%rbx)
    mov %rdx, GUISE_RDX(%rbx)
    .endm

// Leaves a fold to guise_gate_call if an argument is an fd that may be guarded, as a stub tells it. r11d: Looks.
    .macro fold_fd look, argument
    test $\look, %r11d
    jz 8f
    mov GUISE_BELOW_GUARDED(%rbx), %eax
    add \argument, %eax
    cmp $1 << 24, %eax
    jb guise_gate_look
8:
    .endm

// Likewise if an argument is a path that the view may know, or cannot be read.
    .macro fold_path look, argument
    test $\look, %r11d
    jz 8f
7:  mov (\argument), %eax
    fault_entry 7b, guise_gate_look
    cmp $GUISE_PATH_PROC, %eax
    je guise_gate_look
    cmp $GUISE_PATH_DEV, %eax
    je guise_gate_look
8:
    .endm

// The next argument of a folded call, by r8d, its FoldSources.
    .macro fold_argument at
    mov %r8d, %eax
    and $15, %eax
    shr $4, %r8d
    mov GUISE_FOLD_WORDS(%rbx,%rax,8), %rdx
    mov %rdx, GUISE_TAIL + \at(%rbx)
    .endm

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

// The gate of rewritten sites, for what their stubs cannot decide. ecx: the stub's index; all else is the guest's, and
// signals are open: one that comes before guise_gate_leave is kept in the block (signal/interrupt.h).
gate guise_gate
    mov %gs:GUISE_COOKIE, %r11d
    lea -GUISE_COOKIE_VALUE(%r11), %r11d
    xchg %rcx, %r11
    jrcxz 1f
    // %gs is not the shim's: the thread is caught, and its block found, as at an unchanged site.
    lea guise_traps(%rip), %rcx
    lea (%rcx,%r11,2), %rcx
    jmp *%rcx
1:
    mov %gs:GUISE_SELF, %rcx
    mov %rbx, GUISE_RBX(%rcx)
    mov %rsp, GUISE_RSP(%rcx)
    mov %rcx, %rbx
    mov %r11d, GUISE_SITE(%rbx)
    lea GUISE_EFLAGS + 8(%rbx), %rsp
    pushfq
    lea -64(%rbx), %rsp
    mov %rax, GUISE_RAX(%rbx)
    // Has the direct table the answer? A DirectWord: way, counter, value.
    cmp $GUISE_TABLE_NUMBERS, %eax
    jae 2f
    mov %eax, %r11d
    mov GUISE_DIRECT(%rbx), %rcx
    mov (%rcx,%r11,8), %rcx
    cmp $GUISE_WAY_VALUE, %cl
    je guise_value_gate
    cmp $GUISE_WAY_FOLD, %cl
    je 5f
gate guise_gate_look
2:
    save_guest
3:  // All of the guest is in the block.
    testl $GUISE_ODD_FLAGS, GUISE_EFLAGS(%rbx)
    jz 4f
    pushq $2
    popfq
4:  movb $1, GUISE_IN_GATE(%rbx)
    mov %rbx, %rdi
    call guise_gate_call
    movb $0, GUISE_IN_GATE(%rbx)
    jmp guise_gate_checks
    // A fold, rcx its word: what guise_gate_call would do, where no more is to be looked at than two arguments.
5:  lea guise_looks(%rip), %rax
    mov (%rax,%r11,4), %r11d
    test %r11d, GUISE_GATE_LOOKS(%rbx)
    jnz guise_gate_look
    // A path's fault would kill.
    cmpl $0, GUISE_BLOCKED_FAULTS(%rbx)
    jne guise_gate_look
    fold_fd GUISE_LOOK_FD_0, %edi
    fold_fd GUISE_LOOK_FD_1, %esi
    fold_path GUISE_LOOK_PATH_0, %rdi
    fold_path GUISE_LOOK_PATH_1, %rsi
    save_guest
    mov %rdi, GUISE_FOLD_WORDS(%rbx)
    mov %rsi, GUISE_FOLD_WORDS + 8(%rbx)
    mov %rdx, GUISE_FOLD_WORDS + 16(%rbx)
    mov %r10, GUISE_FOLD_WORDS + 24(%rbx)
    mov %r8, GUISE_FOLD_WORDS + 32(%rbx)
    mov %r9, GUISE_FOLD_WORDS + 40(%rbx)
    // The other call may have to be made by the shim.
    mov %ecx, %eax
    shr $16, %eax
    lea guise_looks(%rip), %rdx
    testl $(GUISE_LOOK_MEMORY | GUISE_LOOK_RESULT), (%rdx,%rax,4)
    jnz 3b
    mov %rcx, %r8
    shr $32, %r8
    mov %r8d, %edx
    shr $28, %edx
    mov %r8d, %eax
    shr $24, %eax
    and $15, %eax
    cmp %eax, %edx
    je 6f
    mov GUISE_FOLD_WORDS(%rbx,%rax,8), %eax
    cmp %eax, GUISE_FOLD_WORDS(%rbx,%rdx,8)
    je 3b // the server's
6:  movzbl %ch, %eax
    add GUISE_CALLS(%rbx), %rax
    incq (%rax)
    shr $16, %ecx
    mov %rcx, GUISE_TAIL(%rbx)
    fold_argument 8
    fold_argument 16
    fold_argument 24
    fold_argument 32
    fold_argument 40
    fold_argument 48
    mov GUISE_SITE(%rbx), %eax
    shl $GUISE_STUB_ENTRY_SHIFT, %rax
    lea guise_stub_entries(%rip), %rcx
    mov (%rcx,%rax), %rdx
    mov %rdx, GUISE_RESUME(%rbx)
    mov 8(%rcx,%rax), %rdx
    mov %rdx, GUISE_RIP(%rbx)
    mov %rdx, GUISE_RCX(%rbx)
    mov GUISE_EFLAGS(%rbx), %rdx
    mov %rdx, GUISE_R11(%rbx)
    lea guise_gate_tail(%rip), %rax
    mov %rax, GUISE_LEAVE_TO(%rbx)
    movb $0, GUISE_HAS_TEMP_MASK(%rbx)
    movb $1, GUISE_GATE_BEFORE(%rbx)
guise_gate_checks:
    cmpb $0, GUISE_HAS_INTERRUPTION(%rbx)
    // From here on a signal finds the guest's state in the block.
gate guise_gate_leave
    jne guise_deliver_trap
    mov GUISE_EFLAGS(%rbx), %rcx
    restore_flags %ecx, %rcx
    // rbp and r12 to r15 are C++'s to keep.
    mov GUISE_R8(%rbx), %r8
    mov GUISE_R9(%rbx), %r9
    mov GUISE_R10(%rbx), %r10
    mov GUISE_R11(%rbx), %r11
    mov GUISE_RDI(%rbx), %rdi
    mov GUISE_RSI(%rbx), %rsi
    mov GUISE_RDX(%rbx), %rdx
    mov GUISE_RAX(%rbx), %rax
    mov GUISE_LEAVE_TO(%rbx), %rcx
    mov GUISE_RSP(%rbx), %rsp
    mov GUISE_RBX(%rbx), %rbx
    jmp *%rcx
    // Behind the guest's rt_sigreturn(2): all registers are those of its frame.
gate guise_gate_return
    mov %gs:GUISE_SELF, %rbx
    lea -64(%rbx), %rsp
    load_all
    // As the tail gate wants it: another call's number and arguments, and the block.
gate guise_gate_tail
    mov %gs:GUISE_SELF, %rbx
    mov GUISE_TAIL(%rbx), %rax
    mov GUISE_TAIL + 8(%rbx), %rdi
    mov GUISE_TAIL + 16(%rbx), %rsi
    mov GUISE_TAIL + 24(%rbx), %rdx
    mov GUISE_TAIL + 32(%rbx), %r10
    mov GUISE_TAIL + 40(%rbx), %r8
    mov GUISE_TAIL + 48(%rbx), %r9
    jmp guise_tail_gate
    // Likewise for the two below; all signals are blocked.
gate guise_gate_clone
    mov %gs:GUISE_SELF, %rbx
    mov GUISE_TAIL(%rbx), %rax
    mov GUISE_TAIL + 8(%rbx), %rdi
    mov GUISE_TAIL + 16(%rbx), %rsi
    mov GUISE_TAIL + 24(%rbx), %rbp
    jmp guise_clone_gate
gate guise_gate_thread_exit
    mov %gs:GUISE_SELF, %rbx
    jmp guise_thread_exit_gate
gate guise_gate_end

// The rest of the gate for a call with a value, rcx its word. A signal before guise_value_gate_open is kept; from there
// on it finds the guest before the call, behind the count after it.
gate guise_value_gate
    movb $0, GUISE_HAS_TEMP_MASK(%rbx)
    movzbl %ch, %eax
    add GUISE_CALLS(%rbx), %rax
    sar $32, %rcx
    mov %rcx, GUISE_TAIL(%rbx)
    mov GUISE_SITE(%rbx), %ecx
    shl $GUISE_STUB_ENTRY_SHIFT, %rcx
    lea guise_stub_entries(%rip), %r11
    mov (%r11,%rcx), %rcx
    mov GUISE_EFLAGS(%rbx), %r11
    cmpb $0, GUISE_HAS_INTERRUPTION(%rbx)
gate guise_value_gate_open
    jne 1f
    incq (%rax)
gate guise_value_gate_counted
    restore_flags %r11d, %r11
    mov GUISE_TAIL(%rbx), %rax
    mov GUISE_RSP(%rbx), %rsp
    mov GUISE_RBX(%rbx), %rbx
    jmp *%rcx
gate guise_value_gate_end
1:
    mov GUISE_RAX(%rbx), %rax
    jmp guise_gate_look

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

// A native call within a conversation, for C++ on the block's stack (see gates.h): the guest's mask holds around it, and
// only there. A signal that comes is kept by signal/interrupt.cc, for which the labels are the map: up to `call` the
// call has not been made, or is to be made again; from `called` on it has a result.
gate guise_step_gate
    push %rbx
    push %r12
    push %r13
    mov %rdi, %rbx
    mov %rdx, %r12
    mov $14, %eax
    mov $2, %edi
    xor %edx, %edx
    mov $8, %r10d
    syscall
gate guise_step_gate_open
    load_call %rbx
gate guise_step_gate_call
    syscall
gate guise_step_gate_called
    mov %rax, %r13
    mov $14, %eax
    mov $2, %edi
    mov %r12, %rsi
    xor %edx, %edx
    mov $8, %r10d
    syscall
gate guise_step_gate_end
    mov %r13, %rax
    pop %r13
    pop %r12
    pop %rbx
    ret

// The guest's mask, from the gate of rewritten sites (see gates.h). A signal that comes between the look and the call is
// kept, and the call not made (KeepForGate of signal/interrupt.h).
gate guise_mask_gate
    mov $14, %eax
    mov $8, %r10d
    cmpb $0, GUISE_HAS_INTERRUPTION(%rcx)
gate guise_mask_gate_checked
    jne guise_mask_gate_kept
gate guise_mask_gate_call
    syscall
    ret
gate guise_mask_gate_kept
    mov $-4, %rax
    ret

// A native call that may wait, from the gate of rewritten sites (see gates.h): signals are open there. One that comes
// before the call, or into it when the kernel would make it again, is kept, and the call not made (KeepForGate of
// signal/interrupt.h).
gate guise_wait_gate
    mov %rsi, %rcx
    load_call %rdi
    cmpb $0, GUISE_HAS_INTERRUPTION(%rcx)
gate guise_wait_gate_checked
    jne guise_wait_gate_kept
gate guise_wait_gate_call
    syscall
    ret
gate guise_wait_gate_kept
    mov $GUISE_NOT_MADE, %rax
    ret

// A call of the guest's, made for it in the shim (see gates.h). Here, and not in C++, so that a seccomp listener can tell
// it from the shim's own.
gate guise_perform
    load_call %rdi
    syscall
gate guise_perform_called
    ret

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
