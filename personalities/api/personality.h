// Personality: an ABI that a session wears. Registry: those that a server knows, by name.
#ifndef GUISE_PERSONALITIES_API_PERSONALITY_H_
#define GUISE_PERSONALITIES_API_PERSONALITY_H_

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
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
  std::unique_ptr<Personality> (*make)();
};

// Filled by the main of the server before anything reads it; then read by any thread.
class Registry {
 public:
  // ALREADY_EXISTS; INVALID_ARGUMENT: the name is none.
  absl::Status Add(const Registration& registration);
  // Null: no such personality.
  std::unique_ptr<Personality> Make(std::string_view name) const;
  // In order of registration.
  std::vector<std::string_view> Names() const;

 private:
  std::vector<Registration> registrations_;
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_PERSONALITY_H_
