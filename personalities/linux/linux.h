// linux: claims nothing. Every call is the kernel's.
#ifndef GUISE_PERSONALITIES_LINUX_LINUX_H_
#define GUISE_PERSONALITIES_LINUX_LINUX_H_

#include "personalities/api/personality.h"

namespace guise::personalities {

class Linux final : public api::Personality {
 public:
  static api::Registration Register();

  std::string_view Name() const noexcept override { return "linux"; }
  void Claim(api::Claims& claims) const override;
};

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_LINUX_LINUX_H_
