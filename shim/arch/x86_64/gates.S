// Where a thread goes from the SIGSYS handler when the call is more than "native, in place" or "answered".
//
// Registers of the guest are in the thread's block (rbx), as they were at the site. Signals that arrive here are
// presented to the guest by signal/present.cc as before or after the site; the labels below are its map.
#include "shim/arch/x86_64/fault_table.h"
#include "shim/arch/x86_64/offsets.h"

    .text
    // For debuggers: where C++ is called back, its frames are found. All else is a guest's (shim/gdb).
    .cfi_sections .debug_frame
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

// The guest's flags that lahf and seto have left in the block; changes rax.
    .macro fold_flags
    movzwl %gs:GUISE_FOLD_FLAGS, %eax
    add $0x7f, %al // overflows if OF was set
    sahf
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
gate guise_gate_look
2:
    save_guest
    testl $GUISE_ODD_FLAGS, GUISE_EFLAGS(%rbx)
    jz 4f
    pushq $2
    popfq
4:  movb $1, GUISE_IN_GATE(%rbx)
    mov %rbx, %rdi
    call guise_gate_call
    movb $0, GUISE_IN_GATE(%rbx)
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

// From a stub whose number the direct table has another word for than kNative. r11: the word, a DirectWord; rcx: where the
// stub goes on behind a call; GUISE_SITE: its index; all else is the guest's, also the flags. Of the call's arguments the
// stub has looked at what concerns the shim. Signals are open, and find the guest before the call or behind it.
gate guise_direct_gate
    mov %rcx, %gs:GUISE_RESUME
    movzbl %r11b, %ecx
    lea -GUISE_WAY_FOLD(%rcx), %ecx
    jrcxz 2f
    lea GUISE_WAY_FOLD - GUISE_WAY_ATTEMPT(%rcx), %ecx
    jrcxz 1f
    mov %gs:GUISE_SITE, %ecx
    jmp guise_gate
2:  jmp guise_fold_gate
    // The call itself, counted; if it is refused it has not been made, nor counted, and the gate answers it.
1:  mov %r11d, %ecx
    movzbl %ch, %ecx
    mov %gs:GUISE_CALLS, %r11
    lea (%r11,%rcx), %r11
    mov %r11, %gs:GUISE_COUNTER
    mov (%r11), %rcx
    lea 1(%rcx), %rcx
    mov %rcx, (%r11)
    movb $0, %gs:GUISE_HAS_TEMP_MASK
    mov %rax, %gs:GUISE_RAX
gate guise_attempt_gate_call
    syscall
gate guise_attempt_gate_called
    lea GUISE_EPERM(%rax), %rcx
    jrcxz 3f
    lea GUISE_EACCES(%rax), %rcx
    jrcxz 3f
    mov %gs:GUISE_RESUME, %rcx
    jmp *%rcx
gate guise_attempt_gate_refused
3:  mov %gs:GUISE_COUNTER, %r11
    mov (%r11), %rcx
    lea -1(%rcx), %rcx
    mov %rcx, (%r11)
    mov %gs:GUISE_RAX, %rax
    mov %gs:GUISE_SITE, %ecx
    jmp guise_gate

    // The next argument of a folded call, by ecx, its FoldSources; changes rax.
    .macro fold_argument to
    mov %ecx, %eax
    and $15, %eax
    mov %gs:GUISE_FOLD_WORDS(,%rax,8), \to
    shr $4, %ecx
    .endm

// Another call with the guest's arguments in other places, r11 its word. Where two arguments must differ and do not, the
// gate answers.
gate guise_fold_gate
    mov %rdi, %gs:GUISE_FOLD_WORDS
    mov %rsi, %gs:GUISE_FOLD_WORDS + 8
    mov %rdx, %gs:GUISE_FOLD_WORDS + 16
    mov %r10, %gs:GUISE_FOLD_WORDS + 24
    mov %r8, %gs:GUISE_FOLD_WORDS + 32
    mov %r9, %gs:GUISE_FOLD_WORDS + 40
    mov %rax, %gs:GUISE_RAX
gate guise_fold_gate_saved
    lahf
    seto %al
    mov %ax, %gs:GUISE_FOLD_FLAGS
gate guise_fold_gate_free // to change flags
    mov %r11, %rax
    shr $60, %rax
    mov %r11, %rcx
    shr $56, %rcx
    and $15, %ecx
    cmp %ecx, %eax
    je 1f
    mov %gs:GUISE_FOLD_WORDS(,%rax,8), %eax
    cmp %eax, %gs:GUISE_FOLD_WORDS(,%rcx,8)
    jne 1f
    fold_flags
    mov %gs:GUISE_RAX, %rax
    mov %gs:GUISE_SITE, %ecx
    jmp guise_gate
1:  movb $0, %gs:GUISE_HAS_TEMP_MASK
    mov %r11d, %eax
    movzbl %ah, %eax
    add %gs:GUISE_CALLS, %rax
    incq (%rax)
    mov %r11, %rcx
    shr $32, %rcx
    fold_argument %rdi
    fold_argument %rsi
    fold_argument %rdx
    fold_argument %r10
    fold_argument %r8
    fold_argument %r9
    shr $16, %r11d
    fold_flags
    mov %r11d, %eax
gate guise_fold_gate_call
    syscall
gate guise_fold_gate_called
    mov %gs:GUISE_FOLD_WORDS, %rdi
    mov %gs:GUISE_FOLD_WORDS + 8, %rsi
    mov %gs:GUISE_FOLD_WORDS + 16, %rdx
    mov %gs:GUISE_FOLD_WORDS + 24, %r10
    mov %gs:GUISE_FOLD_WORDS + 32, %r8
    mov %gs:GUISE_FOLD_WORDS + 40, %r9
    mov %gs:GUISE_RESUME, %rcx
    jmp *%rcx
gate guise_fold_gate_end

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
    .cfi_startproc
    push %rbx
    .cfi_def_cfa_offset 16
    .cfi_offset %rbx, -16
    push %r12
    .cfi_def_cfa_offset 24
    .cfi_offset %r12, -24
    push %r13
    .cfi_def_cfa_offset 32
    .cfi_offset %r13, -32
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
    .cfi_restore %r13
    .cfi_def_cfa_offset 24
    pop %r12
    .cfi_restore %r12
    .cfi_def_cfa_offset 16
    pop %rbx
    .cfi_restore %rbx
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc

// The guest's mask, from the gate of rewritten sites (see gates.h). A signal that comes between the look and the call is
// kept, and the call not made (KeepForGate of signal/interrupt.h).
gate guise_mask_gate
    .cfi_startproc
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
    .cfi_endproc

// A native call that may wait, from the gate of rewritten sites (see gates.h): signals are open there. One that comes
// before the call, or into it when the kernel would make it again, is kept, and the call not made (KeepForGate of
// signal/interrupt.h).
gate guise_wait_gate
    .cfi_startproc
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
    .cfi_endproc

// A call of the guest's, made for it in the shim (see gates.h). Here, and not in C++, so that a seccomp listener can tell
// it from the shim's own.
gate guise_perform
    .cfi_startproc
    load_call %rdi
    syscall
gate guise_perform_called
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
