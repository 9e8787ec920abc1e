#include "shim/view/program.h"

#include "proto/wire/cell.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/guest_memory.h"
#include "shim/placement.h"
#include "shim/view/file_name.h"

namespace guise::shim {
namespace {

using wire::Cell;

constexpr size_t kPathSize = 4096;

GUISE_TABLE char g_name[kPathSize];
const char* g_path;
// 0: g_name holds the name. Of several threads that ask, each writes the same.
Cell<uint64_t> g_page;

}  // namespace

void NoteProgram(uint64_t page, const char* path) {
  g_path = path;
  g_page.Release(page);
}

void KeepProgram(uint64_t start, uint64_t size) {
  const uint64_t page = g_page.Relaxed();
  if (page - start >= size) return;
  Program();
  g_page.Release(0);
}

const char* ProgramLink(ThreadBlock* block) {
  const int32_t fd = block->process->program_fd;
  if (fd < 0) return nullptr;
  block->program_link = {};
  return block->program_link.Add("/proc/self/fd/").Add(int64_t{fd}).c_str();
}

const char* Program() {
  const uint64_t page = g_page.Acquire();
  if (page == 0) return g_name;
  if (FileNameAt(page, g_name, sizeof(g_name))) {
    g_page.Release(0);
  } else if (g_page.Acquire() == page && ReadGuestString(g_name, Word(g_path), sizeof(g_name)) < 0) {
    g_name[0] = 0;
  }
  return g_name;
}

}  // namespace guise::shim
