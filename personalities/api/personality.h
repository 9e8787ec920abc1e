// Personality: an ABI that a session wears. Registry: those that a server knows, by name.
#ifndef GUISE_PERSONALITIES_API_PERSONALITY_H_
#define GUISE_PERSONALITIES_API_PERSONALITY_H_

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "personalities/api/claims.h"

namespace guise::api {

// Immutable once claimed: an instance serves one epoch, and may be asked by several conversations in turn. Lasting
// state is the session's (Call::Commit), never the object's.
class Personality {
 public:
  virtual ~Personality() = default;
  // Lower-case letters, digits and dashes; what `--personality` takes.
  virtual std::string_view Name() const noexcept = 0;
  // The map of the personality: all its claims. Says the same each time.
  virtual void Claim(Claims& claims) const = 0;
};

// The one entry through which personalities come into a server, in tree or plugin.
struct Registration {
  std::string_view name;  // lives for ever
  // `argument`: what a layer says behind the name's colon; empty: nothing. INVALID_ARGUMENT: it says nothing to this
  // personality; the message names the argument, the cause and the remedy.
  absl::StatusOr<std::unique_ptr<Personality>> (*make)(std::string_view argument);
};

// For Registration::make: a personality that takes no argument.
template <typename P>
absl::StatusOr<std::unique_ptr<Personality>> MakeWithoutArgument(std::string_view argument) {
  if (!argument.empty())
    return absl::InvalidArgumentError("it takes no argument; leave out the colon and what follows");
  return std::unique_ptr<Personality>(std::make_unique<P>());
}

// A layer of a stack as people write it: "fakeroot", "legacy:el6".
struct Layer {
  std::string_view name;
  std::string_view argument;  // empty: none
  explicit Layer(std::string_view text) : name(text.substr(0, text.find(':'))) {
    if (name.size() < text.size()) argument = text.substr(name.size() + 1);
  }
};

// Filled by the main of the server before anything reads it; then read by any thread.
class Registry {
 public:
  // ALREADY_EXISTS; INVALID_ARGUMENT: the name is none.
  absl::Status Add(const Registration& registration);
  // The personality of a layer. INVALID_ARGUMENT: there is none of this name, or it refuses the argument.
  absl::StatusOr<std::unique_ptr<Personality>> Make(std::string_view layer) const;
  // In order of registration.
  std::vector<std::string_view> Names() const;

 private:
  std::vector<Registration> registrations_;
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_PERSONALITY_H_
