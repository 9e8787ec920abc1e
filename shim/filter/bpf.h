// Classic BPF as seccomp(2) has it: which programs are good, and what one answers. Portable.
#ifndef GUISE_SHIM_FILTER_BPF_H_
#define GUISE_SHIM_FILTER_BPF_H_

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

namespace guise::shim {

// ABI: kernel/seccomp.c, seccomp_check_filter(), and net/core/filter.c, bpf_check_classic(): the instructions that a
// seccomp filter may have, jumps that stay inside, no division or shift by a bad constant, no word of scratch memory
// read that may not have been written, a return at the end.
bool IsGoodFilter(const sock_filter* program, uint32_t length);

// The filter's word: an action and its data. REQUIRES: IsGoodFilter.
uint32_t RunFilter(const sock_filter* program, const seccomp_data& data);

}  // namespace guise::shim

#endif  // GUISE_SHIM_FILTER_BPF_H_
