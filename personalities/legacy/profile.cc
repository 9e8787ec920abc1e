#include "personalities/legacy/profile.h"

#include <sys/utsname.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/text/text_proto.h"

namespace guise::personalities {

namespace {

constexpr size_t kLongest = 63;  // ABI: uname(2) has 65 bytes a field
constexpr uint64_t kPage = 4096;
constexpr uint64_t kKernelHalf = uint64_t{1} << 63;

using Release = std::array<int, 3>;

// nullopt: it does not begin like 2.6.32 or 5.10.
std::optional<Release> ReleaseOf(const std::string& text) {
  Release release = {};
  const int parts = std::sscanf(text.c_str(), "%3d.%5d.%5d", &release[0], &release[1], &release[2]);
  if (parts < 2 || std::isdigit(static_cast<unsigned char>(text[0])) == 0) return std::nullopt;
  return release;
}

absl::Status Check(const v1::LegacyProfile& profile) {
  for (const std::string& text : {profile.release(), profile.version()}) {
    if (text.size() > kLongest) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", text, "\" is longer than the ", kLongest, " bytes that uname(2) tells; shorten it"));
    }
    for (const char c : text) {
      if (c < ' ' || c > '~') return absl::InvalidArgumentError("release and version are printable ASCII");
    }
  }
  if (profile.release().empty() != profile.version().empty()) {
    return absl::InvalidArgumentError("release and version go together; give both, or none for the host's");
  }
  if (!profile.release().empty()) {
    const std::optional<Release> release = ReleaseOf(profile.release());
    if (!release.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("release \"", profile.release(), "\" is none; one begins like 2.6.32"));
    }
    utsname host = {};
    uname(&host);
    if (*release > ReleaseOf(host.release).value_or(*release)) {
      return absl::InvalidArgumentError(absl::StrCat("release \"", profile.release(), "\" is newer than the host's ",
                                                     host.release,
                                                     ", which has not what it promises; name an older one"));
    }
  }
  const uint64_t page = profile.vsyscall_page();
  if (page != 0 && (page % kPage != 0 || page < kKernelHalf)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "vsyscall_page 0x", absl::Hex(page), " is no page of the kernel's half; Linux has it at 0xffffffffff600000"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::LegacyProfile> ParseProfile(std::string_view text, const std::string& source) {
  v1::LegacyProfile profile;
  if (absl::Status status = ParseTextProto(text, source, &profile); !status.ok()) return status;
  if (const absl::Status status = Check(profile); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", status.message()));
  }
  return profile;
}

absl::StatusOr<v1::LegacyProfile> FindProfile(std::string_view argument) {
  std::vector<std::string> names;
  for (const NamedProfile& profile : BuiltInProfiles()) {
    if (profile.name == argument) return ParseProfile(profile.text, absl::StrCat("profile ", std::string(argument)));
    names.emplace_back(profile.name);
  }
  const std::string known = absl::StrCat("; profiles are ", absl::StrJoin(names, ", "), ", or the path of a file");
  if (argument.empty()) return absl::InvalidArgumentError(absl::StrCat("which kernel? Say legacy:", names[0], known));
  const std::string path(argument);
  if (path[0] != '/') return absl::InvalidArgumentError(absl::StrCat("there is no profile '", path, "'", known));
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return absl::InvalidArgumentError(absl::StrCat(path, " cannot be read; the server reads profiles as its own user"));
  }
  return ParseProfile(text.str(), path);
}

}  // namespace guise::personalities
