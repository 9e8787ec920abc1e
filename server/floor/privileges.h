// What a process can give up for good.
#ifndef GUISE_SERVER_FLOOR_PRIVILEGES_H_
#define GUISE_SERVER_FLOOR_PRIVILEGES_H_

namespace guise::server {

// All capabilities, and what could bring one back: an exec by uid 0 gains nothing either. False: errno.
// Async-signal-safe. REQUIRES: CAP_SETPCAP.
bool DropCapabilities();

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_PRIVILEGES_H_
