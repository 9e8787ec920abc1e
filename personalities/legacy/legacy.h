// legacy: old programs on a new kernel. Calls that the kernel no longer has are answered, old calls are made by their
// modern equivalents, and the kernel looks as old as the profile says. See README.md.
#ifndef GUISE_PERSONALITIES_LEGACY_LEGACY_H_
#define GUISE_PERSONALITIES_LEGACY_LEGACY_H_

#include <memory>
#include <string_view>
#include <utility>

#include "personalities/api/personality.h"
#include "personalities/legacy/profile.pb.h"

namespace guise::personalities {

class Legacy final : public api::Personality {
 public:
  static api::Registration Register();

  explicit Legacy(v1::LegacyProfile profile) : profile_(std::move(profile)) {}
  std::string_view Name() const noexcept override { return "legacy"; }
  void Claim(api::Claims& claims) const override;

 private:
  void ClaimFolds(api::Claims& claims) const;
  void ClaimServed(api::Claims& claims) const;
  void ClaimRemoved(api::Claims& claims) const;

  // descriptors.cc
  api::SysTask Dup2Same(api::Call& call, api::Below below) const;
  api::SysTask EpollCreate(api::Call& call, api::Below below) const;
  api::SysTask Getdents(api::Call& call, api::Below below) const;
  // waiting.cc
  api::SysTask Poll(api::Call& call, api::Below below) const;
  api::SysTask Select(api::Call& call, api::Below below) const;
  // times.cc
  api::SysTask Alarm(api::Call& call, api::Below below) const;
  api::SysTask Time(api::Call& call, api::Below below) const;
  api::SysTask Utime(api::Call& call, api::Below below) const;
  api::SysTask Utimes(api::Call& call, api::Below below) const;
  api::SysTask Futimesat(api::Call& call, api::Below below) const;
  // file_systems.cc
  api::SysTask Sysfs(api::Call& call, api::Below below) const;
  api::SysTask Ustat(api::Call& call, api::Below below) const;
  // removed.cc
  api::SysTask Uselib(api::Call& call, api::Below below) const;
  api::SysTask LookupDcookie(api::Call& call, api::Below below) const;
  // sysctl.cc
  api::SysTask Sysctl(api::Call& call, api::Below below) const;

  const v1::LegacyProfile profile_;
};

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_LEGACY_LEGACY_H_
