// The labels of gates.S, stubs.S and copy.S, and what an instruction pointer among them means.
#ifndef GUISE_SHIM_ARCH_X86_64_GATES_H_
#define GUISE_SHIM_ARCH_X86_64_GATES_H_

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)
extern "C" {
extern const char guise_stubs[], guise_stubs_end[];
extern uint64_t guise_stub_entries[];
extern const char guise_near_area[], guise_traps[], guise_deliver_trap[], guise_traps_end[];
extern const char guise_gate[], guise_gate_leave[], guise_gate_return[], guise_gate_tail[], guise_gate_clone[],
    guise_gate_thread_exit[], guise_gate_end[];
extern const char guise_direct_gate[], guise_attempt_gate_call[], guise_attempt_gate_called[],
    guise_attempt_gate_refused[], guise_fold_gate[], guise_fold_gate_saved[], guise_fold_gate_free[],
    guise_fold_gate_call[], guise_fold_gate_called[], guise_fold_gate_end[];
extern const char guise_value_gate[], guise_value_gate_open[], guise_value_gate_counted[], guise_value_gate_end[];
extern const char guise_tail_gate[], guise_tail_gate_after[], guise_tail_gate_end[];
extern const char guise_clone_gate[], guise_exec_gate[], guise_exit_gate[], guise_exit_gate_after[],
    guise_exit_gate_end[];
extern const char guise_return_gate_after[], guise_return_gate_end[];
extern const char guise_step_gate_open[], guise_step_gate_call[], guise_step_gate_called[], guise_step_gate_end[];
extern const char guise_mask_gate_checked[], guise_mask_gate_call[], guise_mask_gate_kept[];
extern const char guise_wait_gate_checked[], guise_wait_gate_call[], guise_wait_gate_kept[];
extern const char guise_perform_called[], guise_thread_exit_gate[], guise_restorer[];
extern const char __ehdr_start[], etext[], _end[];

// See gates.S. `call`: the number in 32 bits, padding, six arguments. Makes the call with the signal mask `open`, and
// leaves with `closed`. Returns the call's result; -EINTR also when a signal came before the call was made.
int64_t guise_step_gate(const void* call, const uint64_t* open, const uint64_t* closed);

// See gates.S. Changes the kernel's signal mask as rt_sigprocmask(2) does, with the guest's pointer for the old one;
// -EINTR: not done, a signal waits in the block. REQUIRES: called from the gate of rewritten sites.
int64_t guise_mask_gate(uint64_t how, const uint64_t* set, uint64_t old, const void* block);

// See gates.S. `call`: as above. Makes the call with the mask that there is; kNotMade: a signal waits in the block.
// REQUIRES: called from the gate of rewritten sites.
int64_t guise_wait_gate(const void* call, const void* block);

// See gates.S. `call`: as above. Makes the call, and nothing else.
int64_t guise_perform(const void* call);

// See gates.S. `call`: as above. Makes it as if on no stack: sigaltstack(2) refuses to change the one that it is made
// on. REQUIRES: all signals are blocked.
int64_t guise_perform_off_stack(const void* call);

// See gates.S. Goes on with the registers of a block, its mask, and FP state as it is. REQUIRES: %gs is the block;
// called in a handler of the shim.
[[noreturn]] void guise_return_gate(const void* block);

// See copy.S.
size_t guise_copy(void* to, const void* from, size_t size);
int64_t guise_load_xstate(const void* area, uint64_t features);
// The first five bytes as a little-endian number; 0 on a bad address.
uint64_t guise_prefix(uint64_t from);
int64_t guise_copy_string(char* to, const char* from, size_t size);
int64_t guise_has_two_dots(const char* text);
// What %gs says that it is (a block's first byte); null where there is no memory.
const void* guise_gs_self();
}
#pragma GCC visibility pop

namespace guise::shim {

inline uint64_t Label(const char* label) { return reinterpret_cast<uint64_t>(label); }

inline bool InImage(uint64_t rip) { return rip >= Label(__ehdr_start) && rip < Label(etext); }

}  // namespace guise::shim

#endif  // GUISE_SHIM_ARCH_X86_64_GATES_H_
