// Prover: which of the sites that somebody claims are in their files.
#ifndef GUISE_SERVER_SITES_PROVER_H_
#define GUISE_SERVER_SITES_PROVER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "server/sites/sites.pb.h"

namespace guise::server {

enum class Proof { kSome, kNone, kLater };

// Many programs claim the same sites of the same library: each is looked for once.
//
// Thread safety: none.
class Prover {
 public:
  // Leaves the sites that are in the file, each with its plan, and says which file it is. kLater: it cannot be read
  // now, and they are left as they are.
  Proof Prove(sites::File& file);

 private:
  struct Proven {
    uint64_t device = 0, inode = 0;
    std::map<std::pair<uint64_t, uint64_t>, uint32_t> plans;  // by offset and text
  };
  std::map<uint64_t, Proven> files_;  // by identity
  size_t sites_ = 0;                  // of all
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SITES_PROVER_H_
