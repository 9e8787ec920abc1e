// Call sites of a stream's own: code that it writes, in memory that it maps, at random places.
#ifndef GUISE_TESTS_STRESS_CODE_H_
#define GUISE_TESTS_STRESS_CODE_H_

#include <stdint.h>

struct Stream;

enum { kSites = 16, kSlot = 512, kCodeSize = kSites * kSlot };

// A `syscall`, what is done to its result behind it, and a return.
struct Site {
  uint16_t at;  // offset of the syscall
  uint8_t behind;
  int32_t operand;
};

// kCodeSize bytes somewhere, and what ought to lie there.
struct Region {
  unsigned char* start;
  struct Site sites[kSites];
  unsigned char bytes[kCodeSize];
  struct Site sites_in_file[kSites];
  unsigned char bytes_in_file[kCodeSize];
};

struct Sites {
  unsigned char* room;  // two places for `mapped`, one for `anonymous`
  struct Region mapped;
  struct Region anonymous;
};

struct Registers {
  uint64_t general[16];  // rax rcx rdx rbx - rbp rsi rdi r8..r15
  uint64_t flags;
  uint64_t unused;
  uint64_t red_zone[16];
  uint64_t vectors[32];
} __attribute__((aligned(16)));

// `call` of the code at `site`, with the arguments of system call `nr`.
long stress_call(const void* site, long nr, const long* arguments);
// The same with all registers given, the stack pointer left out; they are then what the code left.
void stress_registers(const void* site, struct Registers* registers);

void OpenCode(struct Stream* stream);
// Sites that all streams use: made once, before there is a second.
void OpenSharedCode(uint64_t seed);

#endif  // GUISE_TESTS_STRESS_CODE_H_
