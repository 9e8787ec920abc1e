// Small personalities for tests of the server: each call stands for one way in which a conversation can go.
//
//   alpha  geteuid     Serve: 1001, at once
//          getegid     Serve: runs getppid twice and returns the sum of both results
//          chdir       Serve: the length of the path that was copied, or -EFAULT without a copy
//          uname       Serve: runs clock_gettime into the run area and copies out the seconds that it finds
//          getpgrp     Serve: runs getppid until the conversation is too long
//          getppid     Serve: tail-calls
//          acct        Deny: EPERM
//   beta   geteuid     Serve: 2002
//   cell   nothing; speaks for a sandbox
#ifndef GUISE_SERVER_SESSION_TESTING_PERSONALITIES_H_
#define GUISE_SERVER_SESSION_TESTING_PERSONALITIES_H_

#include "server/session/sessions.h"

namespace guise::server::testing {

inline constexpr uint64_t kAlpha = 1001;
inline constexpr uint64_t kBeta = 2002;

// Compiles stacks of "alpha", "beta", "cell" and "linux".
EpochCompiler TestCompiler();

}  // namespace guise::server::testing

#endif  // GUISE_SERVER_SESSION_TESTING_PERSONALITIES_H_
