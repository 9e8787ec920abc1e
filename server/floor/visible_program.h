// Whether a policy lets its session see the program that the session is made for. Who hides it by mistake is told by
// which rule, before anything is started.
#ifndef GUISE_SERVER_FLOOR_VISIBLE_PROGRAM_H_
#define GUISE_SERVER_FLOOR_VISIBLE_PROGRAM_H_

#include <string>

#include "absl/status/status.h"
#include "proto/control/v1/sandbox.pb.h"

namespace guise::server {

// `policy`: completed (CompletePolicy). `program`: a path on this host, which is walked link by link as the kernel
// would, and so is what the file is interpreted by. INVALID_ARGUMENT: one of them, or a link on the way, is hidden;
// names the rule and the remedy. What is not there, or cannot be read, is no error here: the start of the program says
// so.
absl::Status CheckVisible(const v1::SandboxPolicy& policy, const std::string& program);

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_VISIBLE_PROGRAM_H_
