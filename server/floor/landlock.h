// Landlock: who holds a descriptor of a host's file (standard input, say) cannot open it again for writing through
// /proc/self/fd, which passes the mounts by; and who is in the launcher's process group sends no signal to it.
#ifndef GUISE_SERVER_FLOOR_LANDLOCK_H_
#define GUISE_SERVER_FLOOR_LANDLOCK_H_

#include <stdint.h>

namespace guise::server {

// Whether this kernel has it.
bool HasLandlock();
// Whether it keeps signals inside, too.
bool LandlockKeepsSignals();
// Whether it keeps files from being truncated, too.
bool LandlockKeepsLengths();

// A domain for this process and all that it starts, made of rules. Async-signal-safe; not thread-safe.
class LandlockDomain {
 public:
  // `keeps_signals`: none goes from it to processes outside, where the kernel can do that (LandlockKeepsSignals).
  // False: errno says why.
  bool Begin(bool keeps_signals);
  // Everything may be read and executed below `path`, of which no part is a link, and with `writes` also written, made
  // and removed.
  bool Allow(const char* path, bool writes);
  // The file that the descriptor names may be read and executed.
  bool AllowProgram(int file) const;
  // What the descriptor already may be used for may be opened again.
  void AllowDescriptor(int fd) const;
  // Puts it in force. REQUIRES: no_new_privs.
  bool Enter();

 private:
  bool Add(int file, uint64_t rights) const;

  int ruleset_ = -1;
  uint64_t handled_ = 0;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_LANDLOCK_H_
