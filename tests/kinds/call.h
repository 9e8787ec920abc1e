// One call of a row in one scenario, in a process of its own, and what came of it.
#ifndef GUISE_TESTS_KINDS_CALL_H_
#define GUISE_TESTS_KINDS_CALL_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "tests/kinds/recipe.h"

namespace guise::kinds {

enum class How {
  Roomy,   // every pointer in the middle of writable memory
  Poison,  // the same, with other bytes where only output is
  Exact,  // what a pointer's kind allows ends with its page, the next page is not there; what is only read is read-only
  Dirty,  // Roomy; the bits of registers that the kernel is to ignore are set, those of missing arguments too
  Across,   // every pointer to a page's last bytes, what its kind allows ends in the next page
  Null,     // from here on: Exact, but for the argument at `position`
  Hole,     // nothing is mapped
  None,     // PROT_NONE
  Kernel,   // the kernel's half
  Fixed,    // read-only, where something is to be written
  Short,    // one byte too few before the page's end
  Garbage,  // other bytes where the kernel reads and writes
  Number,   // a length or count that is `number`
  Large,    // the same, with Roomy memory
  Inner,    // the pointer at offset `number` of what is read goes nowhere
  Edge,     // likewise to the last 8 bytes of what is mapped
};

struct Scenario {
  How how;
  size_t position = 0;
  uint64_t number = 0;

  std::string Text() const;
};

inline constexpr long kBlocked = -100000;  // the call did not come back in time
inline constexpr long kKilled = -100001;   // the caller was killed

// A pointer argument, before and after.
struct Memory {
  bool used = false;
  size_t extent = 0;   // bytes that the table says lie behind the pointer
  size_t at = 0;       // where the pointer points, in the area
  std::string before;  // the whole area
  std::string after;
};

struct Outcome {
  long result = 0;  // -errno: an error
  Memory memory[syscall::kMaxArgs];
  std::string inner;  // the inner buffer, after

  bool ok() const { return result >= 0 || result < -4095; }
};

// How an argument uses memory directly behind its pointer; differs from its access where that means what a structure
// points to. Ptr without content in the recipe is a value.
syscall::Access AccessOf(const Recipe& recipe, size_t position);

// Maps the areas; once, before the first call.
void MapAreas();

// Where in what argument `position` points to there are pointers to the inner buffer.
std::vector<size_t> InnerPointers(const Recipe& recipe, size_t position);

Outcome Perform(const Recipe& recipe, const Scenario& scenario);

}  // namespace guise::kinds

#endif  // GUISE_TESTS_KINDS_CALL_H_
