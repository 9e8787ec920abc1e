// guised: the server. The only place that names concrete personalities.
#include "personalities/fakeroot/fakeroot.h"
#include "personalities/legacy/legacy.h"
#include "personalities/linux/linux.h"
#include "personalities/nosync/nosync.h"
#include "personalities/sandboxed/sandboxed.h"
#include "server/daemon_main.h"

int main(int argc, char** argv) {
  return guise::server::DaemonMain(
      argc, argv,
      {guise::personalities::Linux::Register(), guise::personalities::Fakeroot::Register(),
       guise::personalities::Legacy::Register(), guise::personalities::Sandboxed::Register(),
       guise::personalities::Nosync::Register()});
}
