#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "personalities/api/personality.h"

namespace guise::api {

namespace {

bool IsName(std::string_view name) {
  return !name.empty() && absl::ascii_islower(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; });
}

}  // namespace

absl::Status Registry::Add(const Registration& registration) {
  const std::string name(registration.name);  // absl's string_view is not the standard's here
  if (!IsName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("personality '", name, "': a name is lower-case letters, digits and dashes, a letter first"));
  }
  for (const Registration& other : registrations_) {
    if (other.name == name) {
      return absl::AlreadyExistsError(absl::StrCat("personality '", name, "' is registered already; rename one"));
    }
  }
  registrations_.push_back(registration);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Personality>> Registry::Make(std::string_view text) const {
  const Layer layer(text);
  for (const Registration& registration : registrations_) {
    if (registration.name != layer.name) continue;
    absl::StatusOr<std::unique_ptr<Personality>> personality = registration.make(layer.argument);
    if (personality.ok()) return personality;
    return absl::Status(personality.status().code(),
                        absl::StrCat("personality '", std::string(text), "': ", personality.status().message()));
  }
  std::vector<std::string> known;
  for (const std::string_view name : Names()) known.emplace_back(name);
  return absl::InvalidArgumentError(absl::StrCat("there is no personality '", std::string(layer.name),
                                                 "'; this server has ", absl::StrJoin(known, ", ")));
}

std::vector<std::string_view> Registry::Names() const {
  std::vector<std::string_view> names;
  for (const Registration& registration : registrations_) names.push_back(registration.name);
  return names;
}

}  // namespace guise::api
