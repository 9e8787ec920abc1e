// sandboxed: a session whose floor confines it. What the kernel enforces is the floor's, set by the launcher from the
// session's policy; the personality says that the stack knows of it. See README.md.
#ifndef GUISE_PERSONALITIES_SANDBOXED_SANDBOXED_H_
#define GUISE_PERSONALITIES_SANDBOXED_SANDBOXED_H_

#include "personalities/api/personality.h"

namespace guise::personalities {

class Sandboxed final : public api::Personality {
 public:
  static api::Registration Register();

  std::string_view Name() const noexcept override { return "sandboxed"; }
  void Claim(api::Claims& claims) const override;
};

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_SANDBOXED_SANDBOXED_H_
