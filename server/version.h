// The version of Guise, as `guise version` and the control plane tell it.
#ifndef GUISE_SERVER_VERSION_H_
#define GUISE_SERVER_VERSION_H_

namespace guise::server {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace guise::server

#endif  // GUISE_SERVER_VERSION_H_
