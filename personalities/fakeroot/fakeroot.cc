#include "personalities/fakeroot/fakeroot.h"

namespace guise::personalities {

using api::Nr;

api::Registration Fakeroot::Register() { return {"fakeroot", &api::MakeWithoutArgument<Fakeroot>}; }

void Fakeroot::Claim(api::Claims& claims) const {
  claims.StartAs(api::Identity::Root());
  claims.ShowOwnFilesAs({0, 0});
  // A guest that is told its real ids in the middle of its work would act on them.
  claims.OnLossOfServer(api::OnLoss::kFail);

  // All processes are root until one of them changes.
  claims.Constant<Nr::getuid>(0).UntilDiverged<&Fakeroot::GetUid>(*this);
  claims.Constant<Nr::geteuid>(0).UntilDiverged<&Fakeroot::GetEuid>(*this);
  claims.Constant<Nr::getgid>(0).UntilDiverged<&Fakeroot::GetGid>(*this);
  claims.Constant<Nr::getegid>(0).UntilDiverged<&Fakeroot::GetEgid>(*this);
  claims.Serve<Nr::getresuid, &Fakeroot::GetResUid>(*this);
  claims.Serve<Nr::getresgid, &Fakeroot::GetResGid>(*this);
  claims.Serve<Nr::getgroups, &Fakeroot::GetGroups>(*this);

  claims.Serve<Nr::setuid, &Fakeroot::SetUid>(*this);
  claims.Serve<Nr::setgid, &Fakeroot::SetGid>(*this);
  claims.Serve<Nr::setreuid, &Fakeroot::SetReUid>(*this);
  claims.Serve<Nr::setregid, &Fakeroot::SetReGid>(*this);
  claims.Serve<Nr::setresuid, &Fakeroot::SetResUid>(*this);
  claims.Serve<Nr::setresgid, &Fakeroot::SetResGid>(*this);
  claims.Serve<Nr::setfsuid, &Fakeroot::SetFsUid>(*this);
  claims.Serve<Nr::setfsgid, &Fakeroot::SetFsGid>(*this);
  claims.Serve<Nr::setgroups, &Fakeroot::SetGroups>(*this);

  claims.Serve<Nr::capget, &Fakeroot::CapGet>(*this);
  claims.Serve<Nr::capset, &Fakeroot::CapSet>(*this);

  claims.Overlay<Nr::stat>();
  claims.Overlay<Nr::lstat>();
  claims.Overlay<Nr::fstat>();
  claims.Overlay<Nr::newfstatat>();
  claims.Overlay<Nr::statx>();

  claims.Serve<Nr::chown, &Fakeroot::Chown>(*this);
  claims.Serve<Nr::lchown, &Fakeroot::Lchown>(*this);
  claims.Serve<Nr::fchown, &Fakeroot::Fchown>(*this);
  claims.Serve<Nr::fchownat, &Fakeroot::Fchownat>(*this);

  ClaimModes(claims);
  ClaimCreation(claims);
  ClaimDirectories(claims);
  ClaimPower(claims);
  ClaimPeers(claims);
  claims.Attempt<Nr::setxattr, &Fakeroot::SetXattr>(*this);
  claims.Attempt<Nr::lsetxattr, &Fakeroot::SetXattr>(*this);
  claims.Attempt<Nr::fsetxattr, &Fakeroot::SetXattr>(*this);
  claims.Attempt<Nr::removexattr, &Fakeroot::RemoveXattr>(*this);
  claims.Attempt<Nr::lremovexattr, &Fakeroot::RemoveXattr>(*this);
  claims.Attempt<Nr::fremovexattr, &Fakeroot::RemoveXattr>(*this);
  claims.ServeOnce<Nr::getxattr, &Fakeroot::GetXattr>(api::Once::kAttributeKept, *this);
  claims.ServeOnce<Nr::lgetxattr, &Fakeroot::GetXattr>(api::Once::kAttributeKept, *this);
  claims.ServeOnce<Nr::fgetxattr, &Fakeroot::GetXattr>(api::Once::kAttributeKept, *this);
  claims.ServeOnce<Nr::listxattr, &Fakeroot::ListXattr>(api::Once::kAttributeKept, *this);
  claims.ServeOnce<Nr::llistxattr, &Fakeroot::ListXattr>(api::Once::kAttributeKept, *this);
  claims.ServeOnce<Nr::flistxattr, &Fakeroot::ListXattr>(api::Once::kAttributeKept, *this);
  claims.Attempt<Nr::chroot, &Fakeroot::Chroot>(*this);
  claims.Attempt<Nr::mknod, &Fakeroot::Mknod>(*this);
  claims.Attempt<Nr::mknodat, &Fakeroot::Mknodat>(*this);
  claims.ServeOnce<Nr::getdents64, &Fakeroot::ListDirectory>(api::Once::kBlockDeviceKept, *this);
}

}  // namespace guise::personalities
