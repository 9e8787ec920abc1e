// Whose credentials a process believes to have: its own once it, or an ancestor before the fork, has changed them; else
// those that the stack starts with.
//
// A fork is not told to the server. So a child's identity is written down when it is first asked for, or just before
// its parent changes its own: its process record is there before the fork (wire::kKeepsIdentities); a vfork child's
// is before its parent goes on. One for which none was free, and one that shares memory without vfork(2) and has not
// taken its own yet, inherit the change.
//
// Thread safety: the session's strand.
#ifndef GUISE_SERVER_STACK_IDENTITIES_H_
#define GUISE_SERVER_STACK_IDENTITIES_H_

#include <cstdint>
#include <optional>

#include "personalities/api/identity.h"
#include "server/stack/session_parts.h"

namespace guise::server {

// nullopt: neither the process nor an ancestor has changed. Writes down what is inherited.
std::optional<api::Identity> FindIdentity(SessionParts& parts, uint32_t process, uint32_t generation);

// Writes down that the process's children, as far as they are not known to have their own, have inherited `identity`.
// To be called before the process changes or its record is given back.
void SettleChildren(SessionParts& parts, const api::Identity& identity, uint32_t process, uint32_t generation);

}  // namespace guise::server

#endif  // GUISE_SERVER_STACK_IDENTITIES_H_
