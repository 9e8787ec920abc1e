// Wrong rows: what a mistake in the table would look like. The checks must notice each.
#ifndef GUISE_TESTS_KINDS_PLANTS_H_
#define GUISE_TESTS_KINDS_PLANTS_H_

#include <string>
#include <vector>

#include "proto/syscall/table.h"

namespace guise::kinds {

struct Plant {
  size_t position;
  std::string text;  // "bytes+8"
  syscall::Row row;
};

// For each pointer with a size: read and written exchanged, sizes that are off, the length in another argument.
std::vector<Plant> PlantsOf(const syscall::Row& row);

}  // namespace guise::kinds

#endif  // GUISE_TESTS_KINDS_PLANTS_H_
