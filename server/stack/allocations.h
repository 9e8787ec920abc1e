// For tests: a program that links this counts what it takes from the heap by operator new. One thread.
#ifndef GUISE_SERVER_STACK_ALLOCATIONS_H_
#define GUISE_SERVER_STACK_ALLOCATIONS_H_

#include <cstdint>

namespace guise::server {

// Since the program began.
uint64_t Allocations();

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_ALLOCATIONS_H_
