#include "server/floor/made_filters.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>

#include "server/floor/landlock.h"

namespace guise::server {
namespace {

// Written by write_filters.cc: kInstructions, all filters one behind the other, and kEnds, where each ends.
#include "server/floor/made_filters.inc"

}  // namespace

FilterGaps GapsOfLandlock() {
  FilterGaps gaps = {.signals = !LandlockKeepsSignals()};
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    struct stat status;
    const bool is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    const bool for_reading = is_file && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
    if (for_reading && !LandlockKeepsLengths()) gaps.lengths = true;
  }
  return gaps;
}

std::vector<sock_filter> MadeSandboxFilter(const FilterGaps& gaps) {
  const unsigned kind = KindOf(gaps);
  const size_t begin = kind == 0 ? 0 : kEnds[kind - 1];
  return {kInstructions + begin, kInstructions + kEnds[kind]};
}

}  // namespace guise::server
