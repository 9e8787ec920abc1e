// What a guest is told of the kernel where the session shows another one: uname(2), and files of /proc.
#ifndef GUISE_SHIM_VIEW_KERNEL_LOOK_H_
#define GUISE_SHIM_VIEW_KERNEL_LOOK_H_

#include <stdint.h>

#include "shim/gate/call.h"
#include "shim/loader/elf.h"

namespace guise::shim {

// The program in `fd`, or its interpreter, says what kernel it needs at least: an older one is not shown to this
// process.
void NoteKernelNeeded(int32_t fd, const ElfHead& elf);

// Leaves a notice when the program in `fd` will be told of a newer kernel than the session shows, for it says that it
// needs one.
void SayIfKernelIsTooOld(int32_t fd, const char* path);

// uname(2), with the look that the session shows laid over the native answer.
Outcome UnameWithLook(const GuestCall& call);

// Whether `path`, absolute, with single slashes and without ".", tells of the kernel, and how; not what links lead
// there.
enum class KernelFile { kNone, kVersion, kOsRelease, kOsVersion };
KernelFile KernelFileOf(const char* path);

// Answers an open(2), openat(2) or openat2(2) of such a file. False: the session shows the host's kernel, or the call
// is none of these, or wants more than to read.
bool OpenKernelFile(const GuestCall& call, KernelFile file, Outcome* outcome);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_KERNEL_LOOK_H_
