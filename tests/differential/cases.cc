#include "tests/differential/cases.h"

namespace guise::tests {

std::vector<Differential> Differentials() {
  std::vector<Differential> all;
  for (const auto& part : {ShellCases(), FileCases(), LanguageCases(), BuildCases()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  for (Differential& differential : all) {
    for (const char* prefix : {"gcc_", "gxx_", "make_", "musl_", "static_go", "node", "m4", "bash_arithmetic"}) {
      if (differential.name.rfind(prefix, 0) == 0) differential.as_root = false;
    }
  }
  return all;
}

}  // namespace guise::tests
