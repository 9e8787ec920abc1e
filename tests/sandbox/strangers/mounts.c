// Attempts on mounts and namespaces.
#include <linux/mount.h>

#include "tests/sandbox/strangers/strangers.h"

enum { kMsMove = 8192, kMsBind = 4096, kDetach = 2 };

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif

static int SecretBelow(long tree) { return tree >= 0 && Reads(DO4(SYS_openat, tree, Secret() + 1, O_RDONLY, 0)); }

static int CloneOfRoot(void) {
  return SecretBelow(DO3(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}
static int CloneOfHome(void) {
  const long tree = DO3(SYS_open_tree, AT_FDCWD, Home(), OPEN_TREE_CLONE);
  return tree >= 0 && Reads(DO4(SYS_openat, tree, Secret() + strlen(Home()) + 1, O_RDONLY, 0));
}
static int CloneWithAttributes(void) {
  struct mount_attr attributes = {.attr_clr = MOUNT_ATTR_RDONLY};
  return SecretBelow(DO5(SYS_open_tree_attr, AT_FDCWD, "/", OPEN_TREE_CLONE, &attributes, sizeof(attributes)));
}
static int BlockDeviceAgain(void) {
  const long context = DO2(SYS_fsopen, "ext4", 0);
  if (context < 0 || DO5(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", "/dev/vda", 0) != 0) return 0;
  if (DO5(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) return 0;
  return SecretBelow(DO3(SYS_fsmount, context, 0, 0));
}
static int MountInMemory(void) {
  const long context = DO2(SYS_fsopen, "tmpfs", 0);
  if (context < 0 || DO5(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) return 0;
  return DO3(SYS_fsmount, context, 0, 0) >= 0;
}
static int PickedRoot(void) { return DO3(SYS_fspick, AT_FDCWD, "/", 0) >= 0; }
static int RootMadeWritable(void) {
  struct mount_attr attributes = {.attr_clr = MOUNT_ATTR_RDONLY};
  DO5(SYS_mount_setattr, AT_FDCWD, "/", 0, &attributes, sizeof(attributes));
  DO5(SYS_mount_setattr, AT_FDCWD, Home(), 0, &attributes, sizeof(attributes));
  DO5(SYS_mount_setattr, 0, "", AT_EMPTY_PATH, &attributes, sizeof(attributes));
  return Writes(Open(Victim(), O_WRONLY));
}
static int CoverMoved(void) {
  const char* const scratch = Scratch();
  DO5(SYS_move_mount, AT_FDCWD, Env("HIDDEN"), AT_FDCWD, scratch, 0);
  DO5(SYS_mount, Env("HIDDEN"), scratch, NULL, kMsMove, NULL);
  return Reads(Open(Secret(), O_RDONLY));
}
static int CoverExpired(void) {
  const int flags[] = {4 /* MNT_EXPIRE */, 4, 8 /* UMOUNT_NOFOLLOW */, kDetach, 1 /* MNT_FORCE */};
  for (int i = 0; i < 5; ++i) DO2(SYS_umount2, Env("HIDDEN"), flags[i]);
  CHECK(chdir(Env("HIDDEN")) == 0);
  DO2(SYS_umount2, ".", kDetach);
  DO2(SYS_umount2, "/proc/self/cwd", kDetach);
  return Reads(Open(Secret(), O_RDONLY));
}
static int MountsKind(const char* kind, const char* options) {
  const char* const scratch = Scratch();
  if (DO5(SYS_mount, kind, scratch, kind, 0, options) != 0) return 0;
  DO2(SYS_umount2, scratch, kDetach);
  return 1;
}
static int MountProc(void) { return MountsKind("proc", NULL); }
static int MountSys(void) { return MountsKind("sysfs", NULL); }
static int MountDevices(void) { return MountsKind("devtmpfs", NULL); }
static int MountTerminals(void) { return MountsKind("devpts", "newinstance"); }
static int MountQueues(void) { return MountsKind("mqueue", NULL); }
static int MountGroups(void) { return MountsKind("cgroup2", NULL); }
static int MountDebug(void) { return MountsKind("debugfs", NULL); }
static int MountOverlay(void) {
  const char* const scratch = Scratch();
  CHECK(mkdir(Text("%s/up", scratch), 0700) == 0 && mkdir(Text("%s/work", scratch), 0700) == 0);
  return MountsKind("overlay", Text("lowerdir=/,upperdir=%s/up,workdir=%s/work", scratch, scratch)) ||
         MountsKind("overlay", Text("lowerdir=%s:/etc", Home()));
}
static int MountOfProgramsFiles(void) {
  const char* const scratch = Scratch();
  return DO5(SYS_mount, Home(), scratch, NULL, kMsBind, NULL) == 0 && DO2(SYS_umount2, scratch, kDetach) == 0;
}
static int MountNamespace(void) { return DO1(SYS_unshare, CLONE_NEWNS) == 0; }
static int NetworkNamespace(void) { return DO1(SYS_unshare, CLONE_NEWNET) == 0; }
static int GroupNamespace(void) { return DO1(SYS_unshare, CLONE_NEWCGROUP) == 0; }
static int TimeNamespace(void) { return DO1(SYS_unshare, 0x80 /* CLONE_NEWTIME */) == 0; }
// The kernel looks at the lower half of clone's flags only.
static int CloneWithHighFlags(void) {
  const long kid = DO5(SYS_clone, (1L << 40) | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (kid == 0) _exit(kOut);
  return kid > 0 && KidIsOut((pid_t)kid);
}
static int ProcessNamespace(void) {
  const long kid = DO5(SYS_clone, CLONE_NEWPID | CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0);
  if (kid == 0) _exit(kOut);
  return kid > 0 && KidIsOut((pid_t)kid);
}
static int UserNamespaceOfVfork(void) {
  uint64_t arguments[11] = {CLONE_NEWUSER | CLONE_NEWNS | CLONE_VFORK, 0, 0, 0, SIGCHLD};
  const long kid = DO2(SYS_clone3, arguments, sizeof(arguments));
  if (kid == 0) _exit(kOut);
  return kid > 0 && KidIsOut((pid_t)kid);
}
static int JoinsOwn(void) {
  const char* const names[] = {"mnt", "uts", "ipc", "net", "cgroup"};
  for (int i = 0; i < 5; ++i) {
    const long own = Open(Text("/proc/self/ns/%s", names[i]), O_RDONLY);
    if (own >= 0 && DO2(SYS_setns, own, 0) == 0) return 1;
  }
  return 0;
}
static int JoinsByProcess(void) {
  return DO2(SYS_setns, DO2(SYS_pidfd_open, getppid(), 0), CLONE_NEWNS) == 0 ||
         DO2(SYS_setns, DO2(SYS_pidfd_open, 1, 0), CLONE_NEWUTS | CLONE_NEWIPC) == 0;
}
static int NamespacesOfOutside(void) {
  return Open(Text("/proc/%d/ns/mnt", Outside()), O_RDONLY) >= 0 ||
         DO2(SYS_ioctl, DO2(SYS_pidfd_open, Outside(), 0), 0xff03 /* PIDFD_GET_MNT_NAMESPACE */) >= 0;
}
static int NamespacesOfInit(void) {
  return Open("/proc/1/ns/mnt", O_RDONLY) >= 0 ||
         DO2(SYS_ioctl, DO2(SYS_pidfd_open, 1, 0), 0xff03 /* PIDFD_GET_MNT_NAMESPACE */) >= 0;
}
struct Handle {
  uint32_t bytes;
  int32_t type;
  uint64_t words[4];
};
static int InitialNamespaceByHandle(void) {
  struct Handle handle = {.bytes = 32};
  int mount_id;
  const long own = Open("/proc/self/ns/pid", O_RDONLY);
  if (DO5(SYS_name_to_handle_at, own, "", &handle, &mount_id, AT_EMPTY_PATH) != 0) return 0;
  // An id, then type and number. The initial pid namespace: 0xEFFFFFFC, an id of a few.
  for (uint64_t id = 0; id < 32; ++id) {
    handle.words[0] = id;
    handle.words[1] = (handle.words[1] & 0xffffffff) | 0xeffffffcUL << 32;
    if (DO3(SYS_open_by_handle_at, -10003 /* FD_NSFS_ROOT */, &handle, O_RDONLY) >= 0) return 1;
  }
  return 0;
}
// Handles of processes are numbers one after the other.
static int ProcessByHandle(void) {
  struct Handle handle = {.bytes = 32};
  int mount_id;
  if (DO5(SYS_name_to_handle_at, DO2(SYS_pidfd_open, getpid(), 0), "", &handle, &mount_id, AT_EMPTY_PATH) != 0)
    return 0;
  for (int i = 0; i < 20000; ++i) {
    --handle.words[0];
    const long fd = DO3(SYS_open_by_handle_at, -10002 /* FD_PIDFS_ROOT */, &handle, O_RDONLY);
    if (fd < 0) continue;
    char line[256];
    int pid = -1;
    FILE* const info = fopen(Text("/proc/self/fdinfo/%ld", fd), "r");
    while (info != NULL && fgets(line, sizeof(line), info) != NULL) sscanf(line, "Pid: %d", &pid);
    if (info != NULL) fclose(info);
    close((int)fd);
    if (pid == Outside() || pid == 0) return 1;
  }
  return 0;
}
static int RootChanged(void) { return DO1(SYS_chroot, Home()) == 0; }
static int RootPivoted(void) {
  const char* const scratch = Scratch();
  DO1(SYS_unshare, CLONE_NEWNS);
  DO5(SYS_mount, "none", "/", NULL, 0x44000 /* MS_REC | MS_PRIVATE */, NULL);
  return DO5(SYS_mount, scratch, scratch, NULL, kMsBind, NULL) == 0 && chdir(scratch) == 0 &&
         DO2(SYS_pivot_root, ".", ".") == 0;
}
static int MadeDevice(void) {
  const char* const places[] = {"/tmp/stranger", "/dev/shm/stranger", "/dev/stranger", "/var/tmp/stranger"};
  for (int i = 0; i < 4; ++i) {
    if (DO4(SYS_mknodat, AT_FDCWD, places[i], S_IFBLK | 0600, Disk()) != 0) continue;
    const int out = Opens(places[i], O_RDONLY);
    unlink(places[i]);
    if (out) return 1;
  }
  return 0;
}

const struct Way kMountWays[] = {WAY(CloneOfRoot, ROOT),
                                 WAY(CloneOfHome, ROOT),
                                 WAY(CloneWithAttributes, ROOT "; open_tree_attr"),
                                 WAY(BlockDeviceAgain, ROOT),
                                 WAY(MountInMemory, ROOT),
                                 WAY(PickedRoot, ROOT),
                                 WAY(RootMadeWritable),
                                 WAY(CoverMoved, ROOT "; a cover"),
                                 WAY(CoverExpired, ROOT "; a cover"),
                                 WAY(MountProc, ROOT),
                                 WAY(MountSys, ROOT),
                                 WAY(MountDevices, ROOT),
                                 WAY(MountTerminals, ROOT),
                                 WAY(MountQueues, ROOT),
                                 WAY(MountGroups, ROOT),
                                 WAY(MountDebug, ROOT),
                                 WAY(MountOverlay, ROOT),
                                 WAY(MountOfProgramsFiles, ROOT),
                                 WAY(MountNamespace, ROOT),
                                 WAY(NetworkNamespace, ROOT),
                                 WAY(GroupNamespace, ROOT),
                                 WAY(TimeNamespace, ROOT),
                                 WAY(CloneWithHighFlags, "user namespaces"),
                                 WAY(ProcessNamespace, ROOT),
                                 WAY(UserNamespaceOfVfork, "user namespaces"),
                                 WAY(JoinsOwn, ROOT),
                                 WAY(JoinsByProcess, ROOT),
                                 WAY(NamespacesOfOutside),
                                 WAY(NamespacesOfInit, ROOT),
                                 WAY(InitialNamespaceByHandle, "handles of namespaces"),
                                 WAY(ProcessByHandle, "handles of processes"),
                                 WAY(RootChanged, ROOT),
                                 WAY(RootPivoted, ROOT),
                                 WAY(MadeDevice, ROOT "; raw disks"),
                                 {NULL, NULL, NULL}};
