// Profiles: built in, by name, or of a file.
#ifndef GUISE_PERSONALITIES_LEGACY_PROFILE_H_
#define GUISE_PERSONALITIES_LEGACY_PROFILE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "personalities/legacy/profile.pb.h"

namespace guise::personalities {

// A profile built in.
struct NamedProfile {
  std::string_view name;
  std::string_view text;  // of a LegacyProfile
};
const std::vector<NamedProfile>& BuiltInProfiles();

// `source` names the text in errors. INVALID_ARGUMENT: with line and column, or the field, the cause and the remedy.
absl::StatusOr<v1::LegacyProfile> ParseProfile(std::string_view text, const std::string& source);

// `argument`: the name of a profile built in, or the absolute path of a file with one. INVALID_ARGUMENT.
absl::StatusOr<v1::LegacyProfile> FindProfile(std::string_view argument);

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_LEGACY_PROFILE_H_
