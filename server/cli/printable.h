// What a terminal shows as it is.
#ifndef GUISE_SERVER_CLI_PRINTABLE_H_
#define GUISE_SERVER_CLI_PRINTABLE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace guise::server {

// The text, with \xNN for its control characters: names of files, of which it may speak, are anybody's, and begin no
// line and move no cursor.
std::string Printable(absl::string_view text);

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_PRINTABLE_H_
