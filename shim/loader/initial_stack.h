// The stack that the kernel lays out for a new program: argc, argv, envp, auxiliary vector. Edited in place.
#ifndef GUISE_SHIM_LOADER_INITIAL_STACK_H_
#define GUISE_SHIM_LOADER_INITIAL_STACK_H_

#include <stdint.h>

namespace guise::shim {

struct AuxEntry {
  uint64_t type;
  uint64_t value;
};

class InitialStack {
 public:
  explicit InitialStack(uint64_t* sp);

  uint64_t* sp() const { return sp_; }
  uint64_t argc() const { return *sp_; }
  char** argv() const { return reinterpret_cast<char**>(sp_ + 1); }
  char** envp() const { return envp_; }
  uint64_t envc() const { return envc_; }
  AuxEntry* aux() const { return aux_; }
  // In bytes, with the entry that ends it.
  uint64_t aux_size() const;

  // The last variable of the environment, or null.
  const char* LastVariable() const;
  // Takes it out: what follows moves down, the stack pointer stays.
  void DropLastVariable();

  uint64_t Aux(uint64_t type) const;
  void SetAux(uint64_t type, uint64_t value);

 private:
  uint64_t* sp_;
  char** envp_;
  uint64_t envc_;
  AuxEntry* aux_;
};

}  // namespace guise::shim

#endif  // GUISE_SHIM_LOADER_INITIAL_STACK_H_
