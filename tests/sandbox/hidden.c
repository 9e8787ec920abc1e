// What is hidden is told of as what is not there: calls with a path make no difference between the two.
//
// Arguments: directories. Each has
//   hf, hd        a file and a directory (with a file x) that are hidden
//   vis           a file
//   lhf lhd lhx   links to hf, hd and hf/x; laf lad lax: to af, ad and af/x, which are not there
//   sh sa         scripts of hf and af
// Where a name that is not there could be made, the hidden one cannot, and that is EACCES.
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/guests/guest.h"

#define EACH_NEW_NUMBER(X) \
  X(fchmodat2, 452) X(setxattrat, 463) X(getxattrat, 464) X(listxattrat, 465) X(removexattrat, 466) X(file_getattr, 468)
enum {
#define X(name, nr) kNr_##name = (nr),
  EACH_NEW_NUMBER(X)
#undef X
};
enum { kSymlinkFollow = 0x400, kExecCheck = 0x10000 };

// A call by a path: `p` in `d`, beside a file `vis` and a name `fresh` that is not there.
struct Call {
  const char* name;
  bool at;  // takes a directory
  long (*make)(int d, const char* p, const char* vis, const char* fresh);
};

static char buffer[4096];
static char* const kNone[] = {NULL};

static long Closed(long fd) {
  if (fd >= 0) close((int)fd);
  return fd;
}
static long Openat2(int d, const char* p, unsigned long flags) {
  const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  const struct open_how how = {.flags = flags, .mode = makes ? 0600 : 0};
  return syscall(SYS_openat2, d, p, &how, sizeof(how));
}
static long Watched(const char* p, unsigned mask) {
  const int fd = inotify_init1(0);
  const long result = syscall(SYS_inotify_add_watch, fd, p, mask);
  const int error = errno;
  close(fd);
  errno = error;
  return result;
}
static long Returned(long result) {
  if (result == 0) CHECK(fchdir(3) == 0);
  return result;
}
static long Run(int d, const char* p, bool at) {
  const pid_t child = fork();
  if (child == 0) {
    if (at) syscall(SYS_execveat, d, p, kNone, kNone, 0);
    if (!at) syscall(SYS_execve, p, kNone, kNone);
    _exit(errno);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
  errno = WEXITSTATUS(status);
  return -1;
}

static long Socket(int type, const char* p, long (*use)(int fd, const struct sockaddr_un* address, socklen_t size)) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(p) >= sizeof(address.sun_path)) return 0;
  memcpy(address.sun_path, p, strlen(p));
  const int fd = socket(AF_UNIX, type, 0);
  const long result = use(fd, &address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(p)));
  const int error = errno;
  close(fd);
  errno = error;
  return result;
}
static long Connect(int fd, const struct sockaddr_un* a, socklen_t n) { return connect(fd, (const void*)a, n); }
static long Bind(int fd, const struct sockaddr_un* a, socklen_t n) { return bind(fd, (const void*)a, n); }
static long SendTo(int fd, const struct sockaddr_un* a, socklen_t n) {
  return syscall(SYS_sendto, fd, "x", 1, 0, (const void*)a, n);
}
static long SendMsg(int fd, const struct sockaddr_un* a, socklen_t n) {
  const struct msghdr message = {.msg_name = (void*)(uintptr_t)a, .msg_namelen = n};
  return sendmsg(fd, &message, 0);
}
static long SendMMsg(int fd, const struct sockaddr_un* a, socklen_t n) {
  struct mmsghdr message = {.msg_hdr = {.msg_name = (void*)(uintptr_t)a, .msg_namelen = n}};
  return syscall(SYS_sendmmsg, fd, &message, 1, 0);
}

#define CALL(name, at, expression)                                             \
  static long name(int d, const char* p, const char* vis, const char* fresh) { \
    (void)d, (void)p, (void)vis, (void)fresh;                                  \
    return (expression);                                                       \
  }
#define OPEN(X, name, flags)                                            \
  X(Open##name, false, Closed(syscall(SYS_open, p, flags, 0600)))       \
  X(Openat##name, true, Closed(syscall(SYS_openat, d, p, flags, 0600))) \
  X(Openat2##name, true, Closed(Openat2(d, p, flags)))
#define EACH_CALL(X)                                                                                          \
  OPEN(X, Read, O_RDONLY)                                                                                     \
  OPEN(X, Write, O_WRONLY | O_TRUNC)                                                                          \
  OPEN(X, Path, O_PATH)                                                                                       \
  OPEN(X, PathOfLink, O_PATH | O_NOFOLLOW)                                                                    \
  OPEN(X, Directory, O_RDONLY | O_DIRECTORY)                                                                  \
  OPEN(X, NoFollow, O_RDONLY | O_NOFOLLOW)                                                                    \
  OPEN(X, Temporary, O_TMPFILE | O_RDWR)                                                                      \
  OPEN(X, Create, O_WRONLY | O_CREAT)                                                                         \
  OPEN(X, CreateRead, O_RDONLY | O_CREAT)                                                                     \
  OPEN(X, Exclusive, O_WRONLY | O_CREAT | O_EXCL)                                                             \
  OPEN(X, CreateHere, O_WRONLY | O_CREAT | O_NOFOLLOW)                                                        \
  X(Creat, false, Closed(syscall(SYS_creat, p, 0600)))                                                        \
  X(Stat, false, syscall(SYS_stat, p, buffer))                                                                \
  X(StatBad, false, syscall(SYS_stat, p, 8))                                                                  \
  X(Lstat, false, syscall(SYS_lstat, p, buffer))                                                              \
  X(Newfstatat, true, syscall(SYS_newfstatat, d, p, buffer, 0))                                               \
  X(NewfstatatLink, true, syscall(SYS_newfstatat, d, p, buffer, AT_SYMLINK_NOFOLLOW))                         \
  X(NewfstatatBad, true, syscall(SYS_newfstatat, d, p, 8, 0))                                                 \
  X(Statx, true, syscall(SYS_statx, d, p, 0, 0x7ff, buffer))                                                  \
  X(StatxLink, true, syscall(SYS_statx, d, p, AT_SYMLINK_NOFOLLOW, 0x7ff, buffer))                            \
  X(StatxBad, true, syscall(SYS_statx, d, p, 0x80000000, 0x7ff, buffer))                                      \
  X(AccessThere, false, syscall(SYS_access, p, F_OK))                                                         \
  X(AccessRead, false, syscall(SYS_access, p, R_OK))                                                          \
  X(AccessWrite, false, syscall(SYS_access, p, W_OK))                                                         \
  X(AccessRun, false, syscall(SYS_access, p, X_OK))                                                           \
  X(Faccessat, true, syscall(SYS_faccessat, d, p, F_OK))                                                      \
  X(FaccessatRun, true, syscall(SYS_faccessat, d, p, X_OK))                                                   \
  X(Faccessat2, true, syscall(SYS_faccessat2, d, p, F_OK, AT_SYMLINK_NOFOLLOW))                               \
  X(Readlink, false, syscall(SYS_readlink, p, buffer, 100))                                                   \
  X(Readlinkat, true, syscall(SYS_readlinkat, d, p, buffer, 100))                                             \
  X(Statfs, false, syscall(SYS_statfs, p, buffer))                                                            \
  X(Truncate, false, syscall(SYS_truncate, p, 0))                                                             \
  X(Chdir, false, Returned(syscall(SYS_chdir, p)))                                                            \
  X(Chroot, false, syscall(SYS_chroot, p))                                                                    \
  X(Acct, false, syscall(SYS_acct, p))                                                                        \
  X(Mount, false, syscall(SYS_mount, NULL, p, "tmpfs", 0, NULL))                                              \
  X(Umount, false, syscall(SYS_umount2, p, 0))                                                                \
  X(Chmod, false, syscall(SYS_chmod, p, 0700))                                                                \
  X(Fchmodat, true, syscall(SYS_fchmodat, d, p, 0700))                                                        \
  X(Fchmodat2, true, syscall(kNr_fchmodat2, d, p, 0700, 0))                                                   \
  X(Chown, false, syscall(SYS_chown, p, -1, -1))                                                              \
  X(ChownSelf, false, syscall(SYS_chown, p, getuid(), getgid()))                                              \
  X(Lchown, false, syscall(SYS_lchown, p, -1, -1))                                                            \
  X(Fchownat, true, syscall(SYS_fchownat, d, p, -1, -1, AT_SYMLINK_NOFOLLOW))                                 \
  X(Utime, false, syscall(SYS_utime, p, NULL))                                                                \
  X(Utimes, false, syscall(SYS_utimes, p, NULL))                                                              \
  X(Futimesat, true, syscall(SYS_futimesat, d, p, NULL))                                                      \
  X(Utimensat, true, syscall(SYS_utimensat, d, p, NULL, 0))                                                   \
  X(Setxattr, false, syscall(SYS_setxattr, p, "user.x", "x", 1, 0))                                           \
  X(Lsetxattr, false, syscall(SYS_lsetxattr, p, "user.x", "x", 1, 0))                                         \
  X(Getxattr, false, syscall(SYS_getxattr, p, "user.x", buffer, 10))                                          \
  X(GetxattrAcl, false, syscall(SYS_getxattr, p, "system.posix_acl_access", buffer, 10))                      \
  X(Lgetxattr, false, syscall(SYS_lgetxattr, p, "user.x", buffer, 10))                                        \
  X(Listxattr, false, syscall(SYS_listxattr, p, buffer, 1000))                                                \
  X(Llistxattr, false, syscall(SYS_llistxattr, p, buffer, 1000))                                              \
  X(Removexattr, false, syscall(SYS_removexattr, p, "user.x"))                                                \
  X(Lremovexattr, false, syscall(SYS_lremovexattr, p, "user.x"))                                              \
  X(Listxattrat, true, syscall(kNr_listxattrat, d, p, 0, buffer, 1000))                                       \
  X(ListxattratLink, true, syscall(kNr_listxattrat, d, p, AT_SYMLINK_NOFOLLOW, buffer, 1000))                 \
  X(Removexattrat, true, syscall(kNr_removexattrat, d, p, 0, "user.x"))                                       \
  X(FileGetattr, true, syscall(kNr_file_getattr, d, p, buffer, 24, 0))                                        \
  X(Handle, true, (*(unsigned*)buffer = 128, syscall(SYS_name_to_handle_at, d, p, buffer, buffer + 2000, 0))) \
  X(HandleFollow, true,                                                                                       \
    (*(unsigned*)buffer = 128, syscall(SYS_name_to_handle_at, d, p, buffer, buffer + 2000, kSymlinkFollow)))  \
  X(Watch, false, Watched(p, IN_MODIFY))                                                                      \
  X(WatchLink, false, Watched(p, IN_MODIFY | IN_DONT_FOLLOW))                                                 \
  X(Mkdir, false, syscall(SYS_mkdir, p, 0700))                                                                \
  X(Mkdirat, true, syscall(SYS_mkdirat, d, p, 0700))                                                          \
  X(Mknod, false, syscall(SYS_mknod, p, S_IFIFO | 0600, 0))                                                   \
  X(Mknodat, true, syscall(SYS_mknodat, d, p, S_IFREG | 0600, 0))                                             \
  X(MknodatBad, true, syscall(SYS_mknodat, d, p, S_IFDIR | 0600, 0))                                          \
  X(Symlink, false, syscall(SYS_symlink, "x", p))                                                             \
  X(Symlinkat, true, syscall(SYS_symlinkat, "x", d, p))                                                       \
  X(LinkTo, false, syscall(SYS_link, vis, p))                                                                 \
  X(LinkFrom, false, syscall(SYS_link, p, fresh))                                                             \
  X(LinkatTo, true, syscall(SYS_linkat, d, vis, d, p, 0))                                                     \
  X(LinkatFrom, true, syscall(SYS_linkat, d, p, d, fresh, 0))                                                 \
  X(LinkatFollow, true, syscall(SYS_linkat, d, p, d, fresh, kSymlinkFollow))                                  \
  X(LinkSame, true, syscall(SYS_linkat, d, p, d, p, 0))                                                       \
  X(RenameTo, false, syscall(SYS_rename, vis, p))                                                             \
  X(RenameFrom, false, syscall(SYS_rename, p, fresh))                                                         \
  X(RenameatTo, true, syscall(SYS_renameat, d, vis, d, p))                                                    \
  X(RenameatFrom, true, syscall(SYS_renameat, d, p, d, fresh))                                                \
  X(RenameSame, true, syscall(SYS_renameat, d, p, d, p))                                                      \
  X(RenameNew, true, syscall(SYS_renameat2, d, vis, d, p, 1))                                                 \
  X(RenameNewFrom, true, syscall(SYS_renameat2, d, p, d, fresh, 1))                                           \
  X(ExchangeTo, true, syscall(SYS_renameat2, d, vis, d, p, 2))                                                \
  X(ExchangeFrom, true, syscall(SYS_renameat2, d, p, d, vis, 2))                                              \
  X(Unlink, false, syscall(SYS_unlink, p))                                                                    \
  X(Rmdir, false, syscall(SYS_rmdir, p))                                                                      \
  X(Unlinkat, true, syscall(SYS_unlinkat, d, p, 0))                                                           \
  X(UnlinkatDirectory, true, syscall(SYS_unlinkat, d, p, AT_REMOVEDIR))                                       \
  X(Execve, false, Run(d, p, false))                                                                          \
  X(Execveat, true, Run(d, p, true))                                                                          \
  X(ExecCheck, true, syscall(SYS_execveat, d, p, kNone, kNone, kExecCheck))                                   \
  X(ConnectStream, false, Socket(SOCK_STREAM, p, Connect))                                                    \
  X(ConnectDatagram, false, Socket(SOCK_DGRAM, p, Connect))                                                   \
  X(BindStream, false, Socket(SOCK_STREAM, p, Bind))                                                          \
  X(BindDatagram, false, Socket(SOCK_DGRAM, p, Bind))                                                         \
  X(DatagramTo, false, Socket(SOCK_DGRAM, p, SendTo))                                                         \
  X(Message, false, Socket(SOCK_DGRAM, p, SendMsg))                                                           \
  X(Messages, false, Socket(SOCK_DGRAM, p, SendMMsg))

EACH_CALL(CALL)

static const struct Call kCalls[] = {
#define X(name, at, expression) {#name, at, name},
    EACH_CALL(X)
#undef X
};

// Paths that meet the hidden file or directory, or a link to one, and the same of what is not there.
static const char* const kPaths[][2] = {
    {"hf", "af"},
    {"hf/", "af/"},
    {"hf/x", "af/x"},
    {"hf/x/y", "af/x/y"},
    {"hf/.", "af/."},
    {"hf/..", "af/.."},
    {"hd", "ad"},
    {"hd/", "ad/"},
    {"hd//", "ad//"},
    {"hd/x", "ad/x"},
    {"hd/none", "ad/none"},
    {"hd/x/y", "ad/x/y"},
    {"hd/.", "ad/."},
    {"hd/..", "ad/.."},
    {"hd/../vis", "ad/../vis"},
    {"./hd/x", "./ad/x"},
    {".//hf", ".//af"},
    {"hd/./../vis/", "ad/./../vis/"},
    {"lhf", "laf"},
    {"lhf/", "laf/"},
    {"lhf/x", "laf/x"},
    {"lhd", "lad"},
    {"lhd/", "lad/"},
    {"lhd/x", "lad/x"},
    {"lhd/../vis", "lad/../vis"},
    {"lhx", "lax"},
    {"lhx/y", "lax/y"},
    {"sh", "sa"},
};

static int failures;

// Directory 3, where calls have changed something: a link whose text was `text`, and the rest.
static void Restore(const char* link, const char* text) {
  static const char* const kMade[] = {"af", "ad", "fresh"};
  for (int i = 0; i < 3; ++i) {
    if (unlinkat(3, kMade[i], 0) != 0) unlinkat(3, kMade[i], AT_REMOVEDIR);
  }
  struct stat status;
  if (text[0] != 0 && (fstatat(3, link, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISLNK(status.st_mode))) {
    unlinkat(3, link, 0);
    CHECK(symlinkat(text, 3, link) == 0);
  }
  if (fstatat(3, "vis", &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) {
    unlinkat(3, "vis", 0);
    CHECK(Closed(openat(3, "vis", O_CREAT | O_EXCL | O_WRONLY, 0600)) >= 0);
  }
}

static void Compare(const struct Call* call, int d, const char* prefix, const char* const* pair) {
  char path[PATH_MAX], vis[PATH_MAX], fresh[PATH_MAX];
  long told[2];
  snprintf(vis, sizeof(vis), "%svis", prefix);
  snprintf(fresh, sizeof(fresh), "%sfresh", prefix);
  for (int i = 0; i < 2; ++i) {
    char text[100] = "";
    CHECK(readlinkat(3, pair[i], text, sizeof(text) - 1) < (long)sizeof(text) - 1);
    snprintf(path, sizeof(path), "%s%s", prefix, pair[i]);
    const long result = call->make(d, path, vis, fresh);
    told[i] = result == -1 ? -errno : result;
    if (result >= 0) Restore(pair[i], text);
  }
  // What could be made.
  if (told[1] >= 0 && told[0] == -EACCES) return;
  // A link itself is there.
  if (told[0] == told[1] || (told[0] >= 0 && told[1] >= 0 && pair[0][0] == 'l')) return;
  ++failures;
  printf("%s(\"%s%s\"%s): %ld, and of what is not there %ld\n", call->name, prefix, pair[0],
         d == AT_FDCWD ? "" : " from elsewhere", told[0], told[1]);
}

static void CompareAll(const char* directory) {
  char prefix[PATH_MAX];
  snprintf(prefix, sizeof(prefix), "%s/", directory);
  CHECK(open(directory, O_PATH | O_DIRECTORY) == 3);
  for (size_t c = 0; c < sizeof(kCalls) / sizeof(kCalls[0]); ++c) {
    for (size_t i = 0; i < sizeof(kPaths) / sizeof(kPaths[0]); ++i) {
      // Scripts are there.
      if (kPaths[i][0][0] == 's' && strncmp(kCalls[c].name, "Exec", 4) != 0) continue;
      CHECK(fchdir(3) == 0);
      Compare(&kCalls[c], AT_FDCWD, "", kPaths[i]);
      Compare(&kCalls[c], AT_FDCWD, prefix, kPaths[i]);
      if (!kCalls[c].at) continue;
      CHECK(chdir("/") == 0);
      Compare(&kCalls[c], 3, "", kPaths[i]);
    }
  }
  close(3);
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) CompareAll(argv[i]);
  fflush(stdout);
  CHECK(argc > 1 && failures == 0);
  return Pass();
}
