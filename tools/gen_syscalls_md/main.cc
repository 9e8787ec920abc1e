// Writes docs/SYSCALLS.md, the syscall table for readers, to standard output:
//   bazel run //tools/gen_syscalls_md > docs/SYSCALLS.md
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>

#include "proto/syscall/names.h"
#include "proto/syscall/table.h"

namespace guise::syscall {
namespace {

// A bar would end a cell.
std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

template <typename Words>
void PrintWords(std::string_view heading, const Words& words) {
  std::cout << "\n## " << heading << "\n\n| word | meaning |\n|---|---|\n";
  for (const auto word : words) std::cout << "| " << Name(word) << " | " << Cell(Meaning(word)) << " |\n";
}

std::string Traits(const Row& row) { return row.traits == syscall::Traits() ? "" : Describe(row.traits); }

std::string Kernels(const Row& row) {
  return row.kernels.since == 0 && row.kernels.until == 0 ? "" : Describe(row.kernels);
}

std::string Args(const Row& row) {
  std::string text;
  for (const Arg& arg : row.Args()) {
    if (!text.empty()) text += ", ";
    text += Describe(arg);
  }
  return text;
}

void PrintRows() {
  std::cout << "\n## Calls\n\n| nr | name | arguments | result | traits | superseded by | kernels |\n"
            << "|---|---|---|---|---|---|---|\n";
  for (const Row& row : kTable) {
    std::cout << "| " << static_cast<uint32_t>(row.nr) << " | " << Name(row.nr) << " | " << Args(row) << " | "
              << Name(row.result) << " | " << Cell(Traits(row)) << " | " << Name(row.next) << " | " << Kernels(row)
              << " |\n";
  }
}

// Rows that the test of argument kinds does not call.
void PrintUncovered() {
  std::cout << "\n## Not covered by the test of argument kinds\n\n"
               "`tests/kinds` calls every other row, and compares it with the table and with a native run.\n\n"
               "| call | why not |\n|---|---|\n";
#define COVERED(name, ...)
#define EXCUSED(name, reason) std::cout << "| " #name " | " reason " |\n";
#include "tests/kinds/recipes.def"
  std::cout << "\nA wrong kind at any pointer that has a size makes that test fail, but for these:\n\n"
               "| call | argument | why |\n|---|---|---|\n";
#define BELIEVED(row, argument, reason) std::cout << "| " #row " | " #argument " | " reason " |\n";
#include "tests/kinds/believed.def"
}

void PrintDocument() {
  std::cout <<
      R"(<!-- Written by tools/gen_syscalls_md from proto/syscall/x86_64.def and tests/kinds/recipes.def. Then run
     bazel run //tools/gen_syscalls_md > docs/SYSCALLS.md -->
# Syscalls

What Guise knows of each x86_64 syscall. Shim, server, tracer, policies and fuzzer read the same table; the tests hold
it against the kernel's headers and against the running kernel.

A number in parentheses is an argument's position, counted from 0, or a number of bytes: BufIn(2) has its length in
argument 2, StructOut(144) has 144 bytes, ArrayOut(12, 2) has elements of 12 bytes, as many as argument 2 says.
Opt(x): NULL is allowed. Upto(x): no more is written than the result says. Prefix(8, x): 8 bytes stand before the
counted ones. Since(6, 7): Linux 6.7 is the first with the call; Until(6, 7): the first without it; blank: every Linux
from 3.0 on. What one row cannot tell (Ptr, sizes that flags choose) is at the head of proto/syscall/x86_64.def.
)";
  PrintWords("Results", AllResults());
  PrintWords("Traits", AllTraits());
  PrintWords("Arguments", AllArgKinds());
  PrintRows();
  PrintUncovered();
}

}  // namespace
}  // namespace guise::syscall

int main() {
  guise::syscall::PrintDocument();
  std::cout.flush();
  return std::cout ? 0 : 1;
}
