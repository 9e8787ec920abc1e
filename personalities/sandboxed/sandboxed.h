// sandboxed: a session whose floor confines it. What the kernel enforces is the floor's, set by the launcher from the
// session's policy; the personality says that the stack knows of it, and tells programs what they would be told without
// the floor's user namespace. See README.md.
#ifndef GUISE_PERSONALITIES_SANDBOXED_SANDBOXED_H_
#define GUISE_PERSONALITIES_SANDBOXED_SANDBOXED_H_

#include <cstddef>

#include "personalities/api/personality.h"
#include "personalities/api/task.h"

namespace guise::personalities {

class Sandboxed final : public api::Personality {
 public:
  static api::Registration Register();

  std::string_view Name() const noexcept override { return "sandboxed"; }
  void Claim(api::Claims& claims) const override;

 private:
  // chown(2), setuid(2) and their kin; arguments kFirst to kLast are the ids.
  template <size_t kFirst, size_t kLast>
  api::SysTask ChangeIds(api::Call& call, api::Below below) const;
};

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_SANDBOXED_SANDBOXED_H_
