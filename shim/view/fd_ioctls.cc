#include "shim/view/fd_ioctls.h"

#include <linux/btrfs.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/loop.h>
#include <linux/nbd.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <linux/vfio.h>

namespace guise::shim {
namespace {

// ABI: what the headers of Debian 12 do not have, or a driver keeps to itself.
constexpr uint32_t kExt4MoveExtents = 0xc028660f;  // EXT4_IOC_MOVE_EXT, fs/ext4/ext4.h
constexpr uint32_t kF2fsMoveRange = 0xc020f509;    // F2FS_IOC_MOVE_RANGE
constexpr uint32_t kFuseBackingOpen = 0x4010e501;  // FUSE_DEV_IOC_BACKING_OPEN, 6.9
constexpr uint32_t kImportSyncFile = 0x40086203;   // DMA_BUF_IOCTL_IMPORT_SYNC_FILE, 6.0
constexpr uint32_t kPcmLink = 0x40044160;          // SNDRV_PCM_IOCTL_LINK, sound/asound.h
constexpr uint32_t kPrimeToHandle = 0xc00c642e;    // DRM_IOCTL_PRIME_FD_TO_HANDLE, drm/drm.h
// include/uapi/linux/vhost.h, which is no C++; struct vhost_vring_file is an index and an fd.
constexpr uint32_t kVhostSetLogFd = 0x4004af07;
constexpr uint32_t kVhostSetVringKick = 0x4008af20;
constexpr uint32_t kVhostSetVringCall = 0x4008af21;
constexpr uint32_t kVhostSetVringErr = 0x4008af22;
constexpr uint32_t kVhostNetSetBackend = 0x4008af30;

}  // namespace

bool IsFdOfIoctl(uint32_t command) {
  switch (command) {
    case FICLONE:
    case LOOP_CHANGE_FD:
    case LOOP_SET_FD:
    case NBD_SET_SOCK:
    case PERF_EVENT_IOC_SET_BPF:
    case PERF_EVENT_IOC_SET_OUTPUT:
    case kPcmLink:
      return true;
    default:
      return false;
  }
}

FdFields FieldsOfIoctl(uint32_t command) {
  switch (command) {
    case BTRFS_IOC_SEND:
    case BTRFS_IOC_SNAP_CREATE:
    case BTRFS_IOC_SNAP_CREATE_V2:
    case FUSE_DEV_IOC_CLONE:
    case LOOP_CONFIGURE:
    case TUNSETFILTEREBPF:
    case TUNSETSTEERINGEBPF:
    case UDMABUF_CREATE:
    case VFIO_GROUP_SET_CONTAINER:
    case kVhostSetLogFd:
    case kF2fsMoveRange:
    case kFuseBackingOpen:
      return {1, {0}};
    case FICLONERANGE:
      return {1, {offsetof(file_clone_range, src_fd)}};
    case KVM_IOEVENTFD:
      return {1, {offsetof(kvm_ioeventfd, fd)}};
    case KVM_IRQFD:
      return {2, {offsetof(kvm_irqfd, fd), offsetof(kvm_irqfd, resamplefd)}};
    case SECCOMP_IOCTL_NOTIF_ADDFD:
      return {1, {offsetof(seccomp_notif_addfd, srcfd)}};
    case SYNC_IOC_MERGE:
      return {1, {offsetof(sync_merge_data, fd2)}};
    case kExt4MoveExtents:
    case kImportSyncFile:
    case kVhostNetSetBackend:
    case kVhostSetVringCall:
    case kVhostSetVringErr:
    case kVhostSetVringKick:
      return {1, {4}};
    case kPrimeToHandle:
      return {1, {8}};
    default:
      return {};
  }
}

}  // namespace guise::shim
