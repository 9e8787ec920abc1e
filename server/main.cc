// guised: the server.
#include "server/daemon_main.h"
#include "server/shipped.h"

int main(int argc, char** argv) { return guise::server::DaemonMain(argc, argv, guise::server::ShippedPersonalities()); }
