// Who owns what is made: the filesystem ids of its maker, and in a set-group-ID directory the directory's group. Real
// root passes this natively; fakeroot must look the same to an ordinary user.
#include <linux/openat2.h>
#include <stddef.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "tests/guests/guest.h"

enum { kUid = 1000, kGid = 1001, kGroup = 60, kOther = 61 };

static void Is(const char* path, uid_t uid, gid_t gid) {
  struct stat status;
  CHECK(lstat(path, &status) == 0);
  if (status.st_uid != uid || status.st_gid != gid) {
    fprintf(stderr, "%s is %u:%u, not %u:%u\n", path, status.st_uid, status.st_gid, uid, gid);
  }
  CHECK(status.st_uid == uid && status.st_gid == gid);
}

static mode_t ModeOf(const char* path) {
  struct stat status;
  CHECK(lstat(path, &status) == 0);
  return status.st_mode;
}

static void Close(int fd) { CHECK(fd >= 0 && close(fd) == 0); }

static void Bind(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  strcpy(address.sun_path, path);
  // Also without a NUL.
  const socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
  CHECK(bind(fd, (struct sockaddr*)&address, length) == 0);
  Close(fd);
}

static void Opens(void) {
  Close(open("open", O_CREAT | O_WRONLY, 0644));
  Close(open("exclusive", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  Close((int)syscall(SYS_open, "raw", O_CREAT | O_WRONLY, 0644));
  Close((int)syscall(SYS_creat, "creat", 0644));
  const int here = open(".", O_PATH);
  Close(openat(here, "openat", O_CREAT | O_RDWR | O_TRUNC, 0644));
  const struct open_how how = {.flags = O_CREAT | O_WRONLY, .mode = 0640, .resolve = RESOLVE_BENEATH};
  Close((int)syscall(SYS_openat2, here, "openat2", &how, sizeof(how)));
  Close(here);
}

static void Unnamed(uid_t uid, gid_t gid) {
  struct stat status;
  char name[64];
  const int fd = open("d", O_TMPFILE | O_RDWR, 0644);
  if (fd < 0) {
    CHECK(errno == EOPNOTSUPP);
    Close(open("unnamed", O_CREAT | O_WRONLY, 0644));
    return;
  }
  CHECK(fstat(fd, &status) == 0 && status.st_uid == uid && status.st_gid == gid);
  snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
  CHECK(linkat(AT_FDCWD, name, AT_FDCWD, "unnamed", AT_SYMLINK_FOLLOW) == 0);
  Close(fd);
}

// Of what is there already nothing changes, and the errors are the same.
static void OpensWhatIsThere(uid_t uid, gid_t gid) {
  const int free = dup(0);
  Close(free);
  const int fd = open("../theirs", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  CHECK(fd == free && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && write(fd, "12", 2) == 2);
  Close(fd);
  Is("../theirs", 0, 0);
  Close(open("../theirs", O_CREAT | O_TRUNC | O_WRONLY, 0600));
  CHECK(symlink("../theirs", "to theirs") == 0);
  Close(open("to theirs", O_CREAT | O_WRONLY, 0600));
  Is("../theirs", 0, 0);
  FAILS(open("../theirs", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
  FAILS(open("to theirs", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
  FAILS(open("to theirs", O_CREAT | O_NOFOLLOW | O_WRONLY, 0600), ELOOP);
  FAILS(open("d", O_CREAT | O_RDONLY, 0600), EISDIR);
  FAILS(open("none/", O_CREAT | O_WRONLY, 0600), EISDIR);
  FAILS(open("none/none", O_CREAT | O_WRONLY, 0600), ENOENT);
  FAILS(open("", O_CREAT | O_WRONLY, 0600), ENOENT);
  FAILS(syscall(SYS_open, (void*)1, O_CREAT | O_WRONLY, 0600), EFAULT);
  FAILS(mkdir("d", 0700), EEXIST);
  Close(open("fifo", O_CREAT | O_RDWR, 0600));
  Is("fifo", uid, gid);
}

static const char* const kMade[] = {"d",       "d/e",    "d/e/at",  "fifo",      "fifo at", "link",
                                    "link at", "open",   "openat2", "openat",    "raw",     "creat",
                                    "socket",  "d/file", "unnamed", "exclusive", "renamed", "d/e/name"};

// All calls that make something, in a new directory that they are the first to use.
static void MakeAll(const char* directory, uid_t uid, gid_t gid) {
  CHECK(chdir(directory) == 0);
  CHECK(mkdir("d", 0755) == 0 && mkdir("d/e//", 0755) == 0 && mkdirat(AT_FDCWD, "d/./e/at", 0711) == 0);
  CHECK(mknod("fifo", S_IFIFO | 0644, 0) == 0 && mknodat(AT_FDCWD, "fifo at", S_IFIFO | 0600, 0) == 0);
  CHECK(symlink("nowhere", "link") == 0 && symlinkat("nowhere", AT_FDCWD, "link at") == 0);
  Opens();
  Close(open("d/file", O_CREAT | O_RDWR, 0644));
  Close(open("d/../moved", O_CREAT | O_RDWR, 0644));
  CHECK(link("moved", "d/e/name") == 0 && rename("moved", "renamed") == 0);
  Bind("socket");
  Unnamed(uid, gid);
  for (size_t i = 0; i < sizeof(kMade) / sizeof(kMade[0]); ++i) Is(kMade[i], uid, gid);
  OpensWhatIsThere(uid, gid);
  CHECK(chdir("..") == 0);
}

static void Directory(const char* name, gid_t gid, mode_t mode) {
  CHECK(mkdir(name, 0700) == 0 && chown(name, (uid_t)-1, gid) == 0 && chmod(name, mode) == 0);
}

static void Devices(const char* directory, gid_t gid) {
  CHECK(chdir(directory) == 0);
  CHECK(mknod("null", S_IFCHR | 0600, makedev(1, 3)) == 0 && mknod("loop", S_IFBLK | 0600, makedev(7, 0)) == 0);
  Is("null", 0, gid);
  Is("loop", 0, gid);
  CHECK(S_ISCHR(ModeOf("null")) && S_ISBLK(ModeOf("loop")) && chdir("..") == 0);
}

// A file that is made where a link leads is in that directory.
static void ThroughLinks(uid_t uid, gid_t own, gid_t group) {
  CHECK(symlink("../group/target", "plain/to group") == 0 && symlink("../plain/target", "group/to plain") == 0);
  Close(open("plain/to group", O_CREAT | O_WRONLY, 0644));
  Close(open("group/to plain", O_CREAT | O_WRONLY, 0644));
  Is("group/target", uid, group);
  Is("plain/target", uid, own);
  CHECK(unlink("group/target") == 0 && unlink("plain/target") == 0 && unlink("plain/to group") == 0);
  CHECK(unlink("group/to plain") == 0);
}

// Its directories hand the group down as well, however it came to have it.
static void SetGroupDirectories(void) {
  Directory("group", kGroup, 02777);
  MakeAll("group", 0, kGroup);
  Devices("group", kGroup);
  CHECK((ModeOf("group/d/e/at") & S_ISGID) != 0 && (ModeOf("group/open") & S_ISGID) == 0);
  Directory("plain", kOther, 0777);
  MakeAll("plain", 0, 0);
  Devices("plain", 0);
  ThroughLinks(0, 0, kGroup);
  // The bit comes first, or by a descriptor.
  CHECK(mkdir("first", 0700) == 0 && chmod("first", 02777) == 0 && chown("first", 5, kOther) == 0);
  MakeAll("first", 0, kOther);
  CHECK(mkdir("by fd", 0700) == 0 && chown("by fd", 5, kOther) == 0);
  const int fd = open("by fd", O_RDONLY);
  CHECK(fchmod(fd, 02777) == 0);
  Close(fd);
  MakeAll("by fd", 0, kOther);
  // And goes.
  CHECK(chmod("by fd/d/e", 0755) == 0 && mkdir("by fd/d/e/own", 0755) == 0);
  Is("by fd/d/e", 0, kOther);
  Is("by fd/d/e/own", 0, 0);
}

// Of a process that has other ids than root's.
static void As(const char* name, uid_t uid, gid_t gid) {
  char in_group[64];
  snprintf(in_group, sizeof(in_group), "%s in group", name);
  MakeAll(name, uid, gid);
  MakeAll(in_group, uid, kGroup);
}

static void Prepare(const char* name) {
  char in_group[64];
  snprintf(in_group, sizeof(in_group), "%s in group", name);
  Directory(name, 0, 0777);
  Directory(in_group, kGroup, 02777);
}

static void GivenUp(void) {
  Directory("roots", 0, 02777);
  Prepare("effective");
  Prepare("filesystem");
  Prepare("fsgid");
  Prepare("again");
  Prepare("all");
  CHECK(setegid(kGid) == 0 && seteuid(kUid) == 0);
  As("effective", kUid, kGid);
  CHECK(chdir("roots") == 0);
  Close(open("f", O_CREAT | O_WRONLY, 0644));
  CHECK(mkdir("d", 0755) == 0 && symlink("x", "l") == 0);
  Is("f", kUid, 0);
  Is("d", kUid, 0);
  Is("l", kUid, 0);
  CHECK(chdir("..") == 0 && seteuid(0) == 0 && setegid(0) == 0);
  As("again", 0, 0);
  setfsgid(kGid);
  As("fsgid", 0, kGid);
  setfsuid(kUid);
  As("filesystem", kUid, kGid);
  setfsuid(0);
  setfsgid(0);
  const pid_t child = fork();
  if (child == 0) {
    CHECK(setresgid(kGid, kGid, kGid) == 0 && setresuid(kUid, kUid, kUid) == 0);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      As("all", kUid, kGid);
      _exit(0);
    }
    _exit(ExitOf(grandchild));
  }
  CHECK(ExitOf(child) == 0);
}

int main(int argc, char** argv) {
  umask(0);
  Close(open("theirs", O_CREAT | O_WRONLY, 0666));
  // Whichever comes first brings the session to look at what is made.
  if (argc > 1 && strcmp(argv[1], "ids first") == 0) {
    GivenUp();
    SetGroupDirectories();
  } else {
    SetGroupDirectories();
    GivenUp();
  }
  return Pass();
}
