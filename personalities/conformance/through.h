// For tests: a layer that claims all that can be claimed, and has the layers beneath do it. Whatever a guest sees of it
// is the fault of what carries calls, not of an ABI.
#ifndef GUISE_PERSONALITIES_CONFORMANCE_THROUGH_H_
#define GUISE_PERSONALITIES_CONFORMANCE_THROUGH_H_

#include <string_view>

#include "personalities/api/call.h"
#include "personalities/api/personality.h"
#include "personalities/api/task.h"

namespace guise::personalities {

class Through : public api::Personality {
 public:
  static api::Registration Register();

  std::string_view Name() const noexcept override { return "through"; }
  void Claim(api::Claims& claims) const override;

 private:
  template <api::Nr kNr>
  void ClaimOne(api::Claims& claims) const;
  // Not a Tail: the result comes back to the server, so each call takes both ways of the channel twice.
  api::SysTask Pass(api::Call& call, api::Below below) const;
};

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_CONFORMANCE_THROUGH_H_
