#include "server/cli/arguments.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace guise::server {
namespace {

// More is no text that a person has written, but a device, say, that has no end.
constexpr size_t kLongestTextFile = 1 << 20;

// The server has a working directory of its own: what a layer's argument names from ours goes to it with that in front.
std::string Layer(absl::string_view name) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(name, absl::MaxSplits(':', 1));
  if (!absl::StartsWith(parts.second, "./") && !absl::StartsWith(parts.second, "../")) return std::string(name);
  std::error_code error;
  const std::filesystem::path here = std::filesystem::current_path(error);
  if (error) return std::string(name);
  return absl::StrCat(parts.first, ":", (here / std::string(absl::StripPrefix(parts.second, "./"))).native());
}

}  // namespace

absl::StatusOr<v1::Stack> ParseStack(absl::string_view text) {
  v1::Stack stack;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const absl::string_view name = absl::StripAsciiWhitespace(part);
    if (name.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "stack \"", text, "\": a name is missing; write personalities with commas between, like \"fakeroot\""));
    }
    stack.add_layers(Layer(name));
  }
  return stack;
}

absl::StatusOr<v1::PlacementOverride> ParsePlacement(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  v1::PlacementOverride placement;
  placement.set_syscall(std::string(parts.first));
  if (parts.second == "kernel") {
    placement.set_placement(v1::PLACEMENT_KERNEL);
  } else if (parts.second == "shim") {
    placement.set_placement(v1::PLACEMENT_SHIM);
  } else if (parts.second == "server") {
    placement.set_placement(v1::PLACEMENT_SERVER);
  } else if (parts.second != "default" || parts.first.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("placement \"", text, "\": write SYSCALL=kernel|shim|server|default, like \"getuid=server\""));
  }
  if (parts.first.empty())
    return absl::InvalidArgumentError(absl::StrCat("placement \"", text, "\": no syscall named"));
  return placement;
}

absl::StatusOr<int> ParseSignal(absl::string_view text) {
  int number = 0;
  if (absl::SimpleAtoi(text, &number) && number > 0 && number <= SIGRTMAX) return number;
  const std::string upper = absl::AsciiStrToUpper(text);
  const absl::string_view name = absl::StripPrefix(upper, "SIG");
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    const char* known = sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("signal \"", text, "\": unknown; write a name like TERM, or a number"));
}

absl::StatusOr<std::string> ReadTextFile(absl::string_view what, const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(what, " ", path, " is a directory; name a file in it"));
  }
  errno = 0;
  std::ifstream file(path);
  std::string text(kLongestTextFile + 1, '\0');
  // It ends before, and its end fails the stream; so does what cannot be read.
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " ", path, " is longer than ", kLongestTextFile, " bytes; name another"));
  }
  if (!file.is_open() || file.bad()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " ", path, " cannot be read",
                                                   errno == 0 ? "" : absl::StrCat(": ", strerror(errno)),
                                                   "; name a file that is there, and yours to read"));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

std::string StackText(const v1::Stack& stack) { return absl::StrJoin(stack.layers(), ","); }

}  // namespace guise::server
