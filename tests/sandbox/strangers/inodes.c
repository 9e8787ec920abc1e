// Attempts on what is known about files: attributes, flags, modes, times, names.
#include <linux/fs.h>
#include <utime.h>

#include "tests/sandbox/strangers/strangers.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#endif
#ifndef SYS_file_setattr
#define SYS_file_setattr 469
#endif

// --- by descriptor 0, which the launcher has opened on a mount that is not read-only
static int InputAttribute(void) {
  return DO5(SYS_fsetxattr, 0, "user.stranger", "x", 1, 0) == 0 && DO2(SYS_fremovexattr, 0, "user.stranger") == 0;
}
static int InputAttributeByLink(void) {
  return DO5(SYS_setxattr, "/proc/self/fd/0", "user.stranger", "x", 1, 0) == 0 &&
         DO2(SYS_removexattr, "/proc/self/fd/0", "user.stranger") == 0;
}
static int InputAttributeAt(void) {
  struct {
    uint64_t value;
    uint32_t size, flags;
  } arguments = {(uintptr_t) "x", 1, 0};
  return DO6(SYS_setxattrat, 0, "", AT_EMPTY_PATH, "user.stranger", &arguments, sizeof(arguments)) == 0 &&
         DO2(SYS_fremovexattr, 0, "user.stranger") == 0;
}
static int ChangesFlags(long fd) {
  int flags = 0;
  if (fd < 0 || DO3(SYS_ioctl, fd, FS_IOC_GETFLAGS, &flags) != 0) return 0;
  int changed = flags ^ FS_NODUMP_FL;
  if (DO3(SYS_ioctl, fd, FS_IOC_SETFLAGS, &changed) != 0) return 0;
  DO3(SYS_ioctl, fd, FS_IOC_SETFLAGS, &flags);
  return 1;
}
static int InputFlags(void) { return ChangesFlags(0); }
static int VictimFlags(void) { return ChangesFlags(Open(Victim(), O_RDONLY)); }
static int ChangesExtendedFlags(long fd) {
  struct fsxattr flags;
  if (fd < 0 || DO3(SYS_ioctl, fd, FS_IOC_FSGETXATTR, &flags) != 0) return 0;
  flags.fsx_xflags ^= FS_XFLAG_NODUMP;
  if (DO3(SYS_ioctl, fd, FS_IOC_FSSETXATTR, &flags) != 0) return 0;
  flags.fsx_xflags ^= FS_XFLAG_NODUMP;
  DO3(SYS_ioctl, fd, FS_IOC_FSSETXATTR, &flags);
  return 1;
}
static int InputExtendedFlags(void) { return ChangesExtendedFlags(0); }
static int VictimExtendedFlags(void) { return ChangesExtendedFlags(Open(Victim(), O_RDONLY)); }
static int SetsFileAttributes(int directory, const char* path, int flags) {
  struct {
    uint64_t xflags;
    uint32_t extent_size, extents, project, cow_size;
  } attributes = {FS_XFLAG_NODUMP, 0, 0, 0, 0};
  if (DO5(SYS_file_setattr, directory, path, &attributes, sizeof(attributes), flags) != 0) return 0;
  attributes.xflags = 0;
  DO5(SYS_file_setattr, directory, path, &attributes, sizeof(attributes), flags);
  return 1;
}
static int InputFileAttributes(void) { return SetsFileAttributes(0, "", AT_EMPTY_PATH); }
static int VictimFileAttributes(void) { return SetsFileAttributes(AT_FDCWD, Victim(), 0); }

// --- the victim's inode and directory
static int VictimModeByPath(void) { return DO4(SYS_fchmodat2, AT_FDCWD, Victim(), 0644, AT_SYMLINK_NOFOLLOW) == 0; }
static int VictimModeByDescriptor(void) {
  const long path = Open(Victim(), O_PATH), file = Open(Victim(), O_RDONLY);
  return DO4(SYS_fchmodat2, path, "", 0644, AT_EMPTY_PATH) == 0 || DO2(SYS_fchmod, file, 0644) == 0 ||
         DO2(SYS_chmod, Text("/proc/self/fd/%ld", path), 0644) == 0;
}
static int VictimTimes(void) {
  const struct utimbuf past = {1, 1};
  return DO2(SYS_utime, Victim(), &past) == 0 || DO4(SYS_utimensat, Open(Victim(), O_RDONLY), NULL, NULL, 0) == 0;
}
static int VictimOwner(void) {
  return DO5(SYS_fchownat, AT_FDCWD, Victim(), getuid(), getgid(), 0) == 0 ||
         DO3(SYS_fchown, Open(Victim(), O_RDONLY), getuid(), getgid()) == 0;
}
static int VictimAttribute(void) {
  return DO5(SYS_setxattr, Victim(), "user.stranger", "x", 1, 0) == 0 ||
         DO5(SYS_fsetxattr, Open(Victim(), O_RDONLY), "user.stranger", "x", 1, 0) == 0 ||
         DO5(SYS_lsetxattr, Home(), "user.stranger", "x", 1, 0) == 0;
}
static int NamelessFile(void) { return Writes(Open(Home(), O_TMPFILE | O_WRONLY)); }
static int NewDirectory(void) {
  const char* const name = Text("%s/stranger", Home());
  return DO3(SYS_mkdirat, AT_FDCWD, name, 0700) == 0 && rmdir(name) == 0;
}
static int NewFifo(void) {
  const char* const name = Text("%s/stranger", Home());
  return DO4(SYS_mknodat, AT_FDCWD, name, S_IFIFO | 0600, 0) == 0 && unlink(name) == 0;
}
static int NewSymlink(void) {
  const char* const name = Text("%s/stranger", Home());
  return DO3(SYS_symlinkat, "/", AT_FDCWD, name) == 0 && unlink(name) == 0;
}
static int NewSocket(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "stranger"};
  CHECK(chdir(Home()) == 0);
  return DO3(SYS_bind, DO3(SYS_socket, AF_UNIX, SOCK_STREAM, 0), &address, sizeof(address)) == 0 &&
         unlink("stranger") == 0;
}
static int NewLog(void) {
  return Writes(Open("/var/tmp/../log/stranger", O_CREAT | O_WRONLY)) && !unlink("/var/log/stranger");
}
static int OwnProgram(void) {
  return DO3(SYS_fchmodat, AT_FDCWD, "/proc/self/exe", 0755) == 0 || DO3(SYS_fchmodat, AT_FDCWD, own_path, 0755) == 0;
}
// A lease lets others wait who open the file.
static int VictimLeased(void) {
  return DO3(SYS_fcntl, Open(Victim(), O_RDONLY), F_SETLEASE, F_RDLCK) == 0 ||
         DO3(SYS_fcntl, 0, F_SETLEASE, F_RDLCK) == 0;
}
static int SwapOnVictim(void) { return DO2(SYS_swapon, Victim(), 0) == -EINVAL; }
static int AccountToVictim(void) { return DO1(SYS_acct, Victim()) == 0 && DO1(SYS_acct, NULL) == 0; }
static int Quota(void) {
  if (DO4(SYS_quotactl, 0x80000100 /* Q_SYNC of users */, NULL, 0, NULL) == 0) return 1;
  const long result = DO4(SYS_quotactl, 0x80000500 /* Q_GETINFO */, "/dev/vda", 0, Text(" "));
  return !IsRefused(result) && result != -ENODEV && result != -EFAULT;
}

const struct Way kInodeWays[] = {WAY(InputAttribute, OF_FILES("user attributes")),
                                 WAY(InputAttributeByLink, OF_FILES("user attributes")),
                                 WAY(InputAttributeAt, OF_FILES("setxattrat")),
                                 WAY(InputFlags, OF_FILES("file flags")),
                                 WAY(VictimFlags, OF_FILES("file flags")),
                                 WAY(InputExtendedFlags, OF_FILES("extended flags")),
                                 WAY(VictimExtendedFlags, OF_FILES("extended flags")),
                                 WAY(InputFileAttributes, OF_FILES("file_setattr")),
                                 WAY(VictimFileAttributes, OF_FILES("file_setattr")),
                                 WAY(VictimModeByPath, OF_FILES("fchmodat2")),
                                 WAY(VictimModeByDescriptor),
                                 WAY(VictimTimes),
                                 WAY(VictimOwner),
                                 WAY(VictimAttribute, OF_FILES("user attributes")),
                                 WAY(NamelessFile, OF_FILES("nameless files")),
                                 WAY(NewDirectory),
                                 WAY(NewFifo),
                                 WAY(NewSymlink),
                                 WAY(NewSocket),
                                 WAY(NewLog, ROOT),
                                 WAY(OwnProgram),
                                 WAY(VictimLeased),
                                 WAY(SwapOnVictim, ROOT),
                                 WAY(AccountToVictim, ROOT),
                                 WAY(Quota),
                                 {NULL, NULL, NULL}};
