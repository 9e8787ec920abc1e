// Writes made_filters.inc to its standard output.
#include <stdio.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/floor/sandbox_filter.h"

int main() {
  using guise::server::kFilterKinds;
  size_t end = 0;
  std::string ends;
  puts("constexpr sock_filter kInstructions[] = {");
  for (unsigned kind = 0; kind < kFilterKinds; ++kind) {
    const absl::StatusOr<std::vector<sock_filter>> filter = guise::server::SandboxFilter(guise::server::GapsOf(kind));
    if (!filter.ok()) {
      fprintf(stderr, "%s\n", std::string(filter.status().message()).c_str());
      return 1;
    }
    for (const sock_filter& each : *filter) printf("    {%u, %u, %u, %u},\n", each.code, each.jt, each.jf, each.k);
    end += filter->size();
    absl::StrAppend(&ends, end, ", ");
  }
  printf("};\nconstexpr size_t kEnds[] = {%s};\n", ends.c_str());
  return 0;
}
