// fakeroot: a consistent illusion of root. Ids, owners, power over modes, device nodes and root's extended attributes;
// other privileges are still the host's.
//
//   credentials.cc  get*id and set*id, capget and capset, on credentials that the session keeps for each process
//   ownership.cc    the chown family, into owners that the session keeps for each file
//   modes.cc        the chmod family, of those who are not root, and of set-group-ID directories
//   creation.cc     the owners of what calls make
//   directories.cc  who changes a directory, of those who are not root
//   power.cc        what the kernel refuses for want of permission bits, made with them lent:
//                  path_uses.cc says what a call needs, borrowing.cc lends it
//   attributes.cc   the xattr family, with attributes that the session keeps for each file
//   devices.cc      mknod of device nodes, which the session keeps for each file, and their types in directories
//   root_directory.cc  chroot to the root directory that there is
//   fakeroot.cc     the map: which call is whose
//
// The stat family is an overlay: native, with the kept owners laid over; files of the session's owner are shown as
// root's.
#ifndef GUISE_PERSONALITIES_FAKEROOT_FAKEROOT_H_
#define GUISE_PERSONALITIES_FAKEROOT_FAKEROOT_H_

#include "personalities/api/personality.h"

namespace guise::personalities {

class Fakeroot final : public api::Personality {
 public:
  static api::Registration Register();

  std::string_view Name() const noexcept override { return "fakeroot"; }
  void Claim(api::Claims& claims) const override;

 private:
  // credentials.cc
  api::SysTask GetUid(api::Call& call, api::Below below) const;
  api::SysTask GetEuid(api::Call& call, api::Below below) const;
  api::SysTask GetGid(api::Call& call, api::Below below) const;
  api::SysTask GetEgid(api::Call& call, api::Below below) const;
  api::SysTask GetResUid(api::Call& call, api::Below below) const;
  api::SysTask GetResGid(api::Call& call, api::Below below) const;
  api::SysTask GetGroups(api::Call& call, api::Below below) const;
  api::SysTask SetUid(api::Call& call, api::Below below) const;
  api::SysTask SetGid(api::Call& call, api::Below below) const;
  api::SysTask SetReUid(api::Call& call, api::Below below) const;
  api::SysTask SetReGid(api::Call& call, api::Below below) const;
  api::SysTask SetResUid(api::Call& call, api::Below below) const;
  api::SysTask SetResGid(api::Call& call, api::Below below) const;
  api::SysTask SetFsUid(api::Call& call, api::Below below) const;
  api::SysTask SetFsGid(api::Call& call, api::Below below) const;
  api::SysTask SetGroups(api::Call& call, api::Below below) const;
  api::SysTask CapGet(api::Call& call, api::Below below) const;
  api::SysTask CapSet(api::Call& call, api::Below below) const;

  // ownership.cc
  api::SysTask Chown(api::Call& call, api::Below below) const;
  api::SysTask Lchown(api::Call& call, api::Below below) const;
  api::SysTask Fchown(api::Call& call, api::Below below) const;
  api::SysTask Fchownat(api::Call& call, api::Below below) const;

  // modes.cc
  void ClaimModes(api::Claims& claims) const;
  api::SysTask ChangeMode(api::Call& call, api::Below below) const;

  // creation.cc
  void ClaimCreation(api::Claims& claims) const;
  api::SysTask Create(api::Call& call, api::Below below) const;
  api::SysTask CreateByOpen(api::Call& call, api::Below below) const;
  api::SysTask Bind(api::Call& call, api::Below below) const;

  // directories.cc
  void ClaimDirectories(api::Claims& claims) const;
  api::SysTask Remove(api::Call& call, api::Below below) const;
  api::SysTask Rename(api::Call& call, api::Below below) const;
  api::SysTask MakeLink(api::Call& call, api::Below below) const;

  // root_directory.cc
  api::SysTask Chroot(api::Call& call, api::Below below) const;

  // peers.cc
  void ClaimPeers(api::Claims& claims) const;
  api::SysTask GetSocketOption(api::Call& call, api::Below below) const;

  // power.cc
  void ClaimPower(api::Claims& claims) const;
  api::SysTask WithPower(api::Call& call, api::Below below) const;

  // attributes.cc
  api::SysTask SetXattr(api::Call& call, api::Below below) const;
  api::SysTask RemoveXattr(api::Call& call, api::Below below) const;
  api::SysTask GetXattr(api::Call& call, api::Below below) const;
  api::SysTask ListXattr(api::Call& call, api::Below below) const;

  // devices.cc
  api::SysTask Mknod(api::Call& call, api::Below below) const;
  api::SysTask Mknodat(api::Call& call, api::Below below) const;
  api::SysTask ListDirectory(api::Call& call, api::Below below) const;
};

}  // namespace guise::personalities

#endif  // GUISE_PERSONALITIES_FAKEROOT_FAKEROOT_H_
