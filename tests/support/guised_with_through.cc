// guised for tests: with one more personality, which has every call that can be claimed done by its guest.
#include <vector>

#include "personalities/conformance/through.h"
#include "server/daemon_main.h"
#include "server/shipped.h"

// Shown in docs/PERSONALITIES.md.
int main(int argc, char** argv) {
  std::vector<guise::api::Registration> all = guise::server::ShippedPersonalities();
  all.push_back(guise::personalities::Through::Register());
  return guise::server::DaemonMain(argc, argv, all);
}
