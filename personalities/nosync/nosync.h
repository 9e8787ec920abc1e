// nosync: nothing waits for the disk. For builds and images that are thrown away when the machine stops. See README.md,
// and docs/PERSONALITIES.md, which explains how it is made.
#ifndef GUISE_PERSONALITIES_NOSYNC_NOSYNC_H_
#define GUISE_PERSONALITIES_NOSYNC_NOSYNC_H_

#include "personalities/api/personality.h"

namespace guise::personalities {

class Nosync final : public api::Personality {
 public:
  static api::Registration Register();

  std::string_view Name() const noexcept override { return "nosync"; }
  void Claim(api::Claims& claims) const override;

 private:
  api::Verdict Msync(api::Call& call) const;
  api::SysTask SyncFileRange(api::Call& call, api::Below below) const;
};

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_NOSYNC_NOSYNC_H_
