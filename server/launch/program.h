// Finding the program of a command as execvp(3) does, before a session is made for it.
#ifndef GUISE_SERVER_LAUNCH_PROGRAM_H_
#define GUISE_SERVER_LAUNCH_PROGRAM_H_

#include <string>

#include "absl/status/statusor.h"

namespace guise::server {

// The path of the file that execvp(name) would try to execute: `name` itself when it holds a slash, else the first
// executable file in the colon-separated `search` (an empty element is the working directory).
//
// Only existence, kind and permission are judged here; what the file holds is the loader's business.
// Errors: NOT_FOUND (exit code 127), PERMISSION_DENIED (exit code 126); the message names the program and the cause.
absl::StatusOr<std::string> FindProgram(const std::string& name, const std::string& search);

// $PATH, or what execvp takes when it is not set.
std::string SearchPath();

}  // namespace guise::server

#endif  // GUISE_SERVER_LAUNCH_PROGRAM_H_
