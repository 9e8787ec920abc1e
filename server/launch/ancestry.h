// Who started whom, as /proc tells it.
#ifndef GUISE_SERVER_LAUNCH_ANCESTRY_H_
#define GUISE_SERVER_LAUNCH_ANCESTRY_H_

#include <sys/types.h>

namespace guise::server {

// The parent's process id; 0 when there is none or it cannot be told.
pid_t ParentOf(pid_t pid);

// Whether `pid` is `ancestor` or descends from it through parents that still live.
bool DescendsFrom(pid_t pid, pid_t ancestor);

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_ANCESTRY_H_
