// guised for tests: with one more personality, which has every call that can be claimed done by its guest.
#include "personalities/conformance/through.h"
#include "server/daemon_main.h"

int main(int argc, char** argv) {
  return guise::server::DaemonMain(argc, argv, {guise::personalities::Through::Register()});
}
