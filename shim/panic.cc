#include "shim/panic.h"

#include "shim/arch/x86_64/syscall.h"
#include "shim/kernel.h"
#include "shim/memories.h"
#include "shim/memory.h"

namespace guise::shim {

namespace {

using syscall::Nr;

void SetText(wire::PanicRecord* record, const char* text) {
  size_t i = 0;
  for (; text[i] != 0 && i + 1 < sizeof(record->text); ++i) record->text[i] = text[i];
  record->text[i] = 0;
}

}  // namespace

wire::PanicRecord* Notice(const char* text) {
  wire::PanicRecord* const record = NewPanicRecord();
  if (record == nullptr) return nullptr;
  record->kind.Release(0);
  record->pid = static_cast<uint32_t>(Native(Nr::getpid));
  record->tid = static_cast<uint32_t>(Native(Nr::gettid));
  record->signal = 0;
  record->error = 0;
  SetText(record, text);
  record->kind.Release(static_cast<uint32_t>(wire::PanicKind::kNotice));
  return record;
}

void TakeBack(wire::PanicRecord* notice) {
  if (notice != nullptr) notice->kind.Release(0);
}

void Panic(wire::PanicKind kind, const char* text, const PanicDetail& detail) {
  const auto pid = static_cast<uint32_t>(Native(Nr::getpid));
  if (wire::PanicRecord* const record = NewPanicRecord()) {
    record->kind.Release(0);
    record->pid = pid;
    record->tid = static_cast<uint32_t>(Native(Nr::gettid));
    record->signal = detail.signal;
    record->rip = detail.rip;
    record->rsp = detail.rsp;
    record->address = detail.address;
    record->nr = detail.nr;
    record->error = static_cast<uint64_t>(detail.error);
    SetText(record, text);
    record->kind.Release(static_cast<uint32_t>(kind));
  } else {
    Text<300> line;
    line.Add("guise: shim of process ").Add(int64_t{pid}).Add(": ").Add(text);
    if (detail.error != 0) line.Add(" (errno ").Add(-detail.error).Add(")");
    line.Add("\n");
    Native(Nr::write, 2, line.c_str(), line.size());
  }
  Native(Nr::kill, pid, SIGKILL);
  Native(Nr::exit_group, 255);
  __builtin_trap();
}

}  // namespace guise::shim
