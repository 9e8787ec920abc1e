// The shim's last words.
#ifndef GUISE_SHIM_PANIC_H_
#define GUISE_SHIM_PANIC_H_

#include <stdint.h>

#include "proto/wire/panic.h"

namespace guise::shim {

struct PanicDetail {
  uint32_t signal = 0;
  uint64_t rip = 0;
  uint64_t rsp = 0;
  uint64_t address = 0;
  uint64_t nr = 0;
  int64_t error = 0;
};

// Leaves a record in request memory (when it is mapped) and a line on stderr (when it is not), then kills the process.
[[noreturn]] void Panic(wire::PanicKind kind, const char* text, const PanicDetail& detail = {});

// Leaves a notice in request memory. Returns it, or null: memory is not mapped.
wire::PanicRecord* Notice(const char* text);
// It has not come to that.
void TakeBack(wire::PanicRecord* notice);

}  // namespace guise::shim

#endif  // GUISE_SHIM_PANIC_H_
