// Who changes a directory, once root has been given up: whom its owner and mode allow, in a sticky one the owners of
// what is taken away; and what is said first. Real root passes this natively; fakeroot must look the same to an
// ordinary user.
#include <grp.h>
#include <linux/openat2.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "tests/guests/guest.h"

#ifndef RENAME_EXCHANGE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

enum { kUid = 1000, kGid = 1001, kGroup = 60, kOther = 61 };

static void Make(const char* path, uid_t uid) {
  CHECK(close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0666)) == 0 && chown(path, uid, 0) == 0);
}

static void MakeDirectory(const char* path, mode_t mode, uid_t uid, gid_t gid) {
  CHECK(mkdir(path, 0700) == 0 && chown(path, uid, gid) == 0 && chmod(path, mode) == 0);
}

// A guest of another user, with one group beside its own.
static pid_t AsUser(void) {
  const pid_t child = fork();
  if (child != 0) return child;
  const gid_t groups[] = {kGroup};
  CHECK(setgroups(1, groups) == 0 && setresgid(kGid, kGid, kGid) == 0 && setresuid(kUid, kUid, kUid) == 0);
  return 0;
}

static int Bind(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  strcpy(address.sun_path, path);
  const int result = bind(fd, (struct sockaddr*)&address, sizeof(address));
  const int error = errno;
  close(fd);
  errno = error;
  return result;
}

// Root's directory, by all calls that change one.
static void Refuses(void) {
  const int roots = open("roots", O_PATH | O_DIRECTORY);
  const struct open_how how = {.flags = O_CREAT | O_WRONLY, .mode = 0600};
  CHECK(roots >= 0);
  FAILS(syscall(SYS_open, "roots/new", O_CREAT | O_WRONLY, 0600), EACCES);
  FAILS(syscall(SYS_creat, "roots/new", 0600), EACCES);
  FAILS(syscall(SYS_openat, roots, "new", O_CREAT | O_EXCL | O_WRONLY, 0600), EACCES);
  FAILS(syscall(SYS_openat2, roots, "new", &how, sizeof(how)), EACCES);
  FAILS(syscall(SYS_mkdir, "roots/new/", 0700), EACCES);
  FAILS(syscall(SYS_mkdirat, roots, "new", 0700), EACCES);
  FAILS(syscall(SYS_mknod, "roots/new", S_IFIFO | 0600, 0), EACCES);
  FAILS(syscall(SYS_mknodat, roots, "new", S_IFCHR | 0600, makedev(1, 3)), EACCES);
  FAILS(syscall(SYS_symlink, "x", "roots/new"), EACCES);
  FAILS(syscall(SYS_symlinkat, "x", roots, "new"), EACCES);
  FAILS(syscall(SYS_link, "mine/f", "roots/new"), EACCES);
  FAILS(syscall(SYS_linkat, AT_FDCWD, "mine/f", roots, "new", 0), EACCES);
  FAILS(Bind("roots/new"), EACCES);
  FAILS(syscall(SYS_unlink, "roots/f"), EACCES);
  FAILS(syscall(SYS_unlinkat, roots, "f", 0), EACCES);
  FAILS(syscall(SYS_unlinkat, roots, "d", AT_REMOVEDIR), EACCES);
  FAILS(syscall(SYS_rmdir, "roots/d/"), EACCES);
  FAILS(syscall(SYS_rename, "roots/f", "mine/new"), EACCES);
  FAILS(syscall(SYS_rename, "mine/f", "roots/new"), EACCES);
  FAILS(syscall(SYS_renameat, roots, "f", roots, "new"), EACCES);
  FAILS(syscall(SYS_renameat2, AT_FDCWD, "mine/f", roots, "f", RENAME_EXCHANGE), EACCES);
  close(roots);
}

// What is said whoever asks.
static void SaysFirst(void) {
  FAILS(open("roots/f", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
  FAILS(mkdir("roots/d", 0700), EEXIST);
  FAILS(symlink("x", "roots/link"), EEXIST);
  FAILS(link("mine/f", "roots/f"), EEXIST);
  FAILS(link("mine/nothing", "roots/new"), ENOENT);
  FAILS(unlink("roots/nothing"), ENOENT);
  FAILS(rmdir("roots/nothing"), ENOENT);
  FAILS(rmdir("roots/d/."), EINVAL);
  FAILS(rmdir("roots/d/.."), ENOTEMPTY);
  FAILS(rename("roots/nothing", "mine/new"), ENOENT);
  FAILS(syscall(SYS_renameat2, AT_FDCWD, "mine/f", AT_FDCWD, "roots/f", RENAME_NOREPLACE), EEXIST);
  FAILS(syscall(SYS_renameat2, AT_FDCWD, "mine/f", AT_FDCWD, "roots/nothing", RENAME_EXCHANGE), ENOENT);
  FAILS(mkdir("roots/nothing/new", 0700), ENOENT);
  // One file by two names stays as it is.
  CHECK(rename("roots/f", "roots/same") == 0);
  // What is there is opened.
  CHECK(close(open("roots/f", O_CREAT | O_RDONLY, 0600)) == 0);
}

// Of a directory that is the caller's, its group's or everybody's.
static void Allows(const char* directory) {
  char name[2][64];
  snprintf(name[0], sizeof(name[0]), "%s/a", directory);
  snprintf(name[1], sizeof(name[1]), "%s/b", directory);
  CHECK(close(open(name[0], O_CREAT | O_EXCL | O_WRONLY, 0600)) == 0 && link(name[0], name[1]) == 0);
  CHECK(unlink(name[0]) == 0 && rename(name[1], name[0]) == 0 && unlink(name[0]) == 0);
  CHECK(mkdir(name[0], 0700) == 0 && rename(name[0], name[1]) == 0 && rmdir(name[1]) == 0);
  CHECK(symlink("x", name[0]) == 0 && unlink(name[0]) == 0 && Bind(name[0]) == 0 && unlink(name[0]) == 0);
}

static void Sticky(void) {
  FAILS(unlink("sticky/f"), EPERM);
  FAILS(rmdir("sticky/d"), EPERM);
  FAILS(rename("sticky/f", "sticky/new"), EPERM);
  FAILS(rename("mine/f", "sticky/f"), EPERM);
  FAILS(syscall(SYS_renameat2, AT_FDCWD, "mine/f", AT_FDCWD, "sticky/f", RENAME_EXCHANGE), EPERM);
  CHECK(rename("sticky/own", "sticky/moved") == 0 && unlink("sticky/moved") == 0);
  Allows("sticky");
  // Of its own everybody takes away what others have put there.
  CHECK(unlink("own sticky/f") == 0);
}

// A directory that gets another parent is written to.
static void Moves(void) {
  FAILS(rename("mine/roots", "all/roots"), EACCES);
  CHECK(rename("mine/roots", "mine/still roots") == 0 && rename("mine/still roots", "mine/roots") == 0);
  CHECK(rename("mine/own", "all/own") == 0 && rename("all/own", "mine/own") == 0);
}

// What somebody is let by an access control list the mode does not tell.
static int MakeListed(void) {
  struct {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[5];
  } list = {{POSIX_ACL_XATTR_VERSION},
            {{ACL_USER_OBJ, 7, (uint32_t)ACL_UNDEFINED_ID},
             {ACL_USER, 7, kUid},
             {ACL_GROUP_OBJ, 5, (uint32_t)ACL_UNDEFINED_ID},
             {ACL_MASK, 7, (uint32_t)ACL_UNDEFINED_ID},
             {ACL_OTHER, 5, (uint32_t)ACL_UNDEFINED_ID}}};
  MakeDirectory("listed", 0755, 0, 0);
  const int result = setxattr("listed", "system.posix_acl_access", &list, sizeof(list), 0);
  CHECK(result == 0 || errno == EOPNOTSUPP);
  return result == 0;
}

int main(void) {
  umask(0);
  CHECK(chmod(".", 0755) == 0);
  MakeDirectory("roots", 0755, 0, 0);
  MakeDirectory("roots/d", 0777, kUid, 0);
  Make("roots/f", kUid);
  CHECK(link("roots/f", "roots/same") == 0 && symlink("x", "roots/link") == 0);
  MakeDirectory("mine", 0700, kUid, 0);
  MakeDirectory("mine/roots", 0755, 0, 0);
  MakeDirectory("mine/own", 0755, kUid, 0);
  Make("mine/f", kUid);
  MakeDirectory("all", 0777, kOther, kOther);
  MakeDirectory("group", 0770, kOther, kGroup);
  MakeDirectory("sticky", 01777, 0, 0);
  MakeDirectory("sticky/d", 0777, kOther, 0);
  Make("sticky/f", kOther);
  Make("sticky/own", kUid);
  MakeDirectory("own sticky", 01777, kUid, 0);
  Make("own sticky/f", kOther);
  // Neither an owner nor a group has what is for others.
  MakeDirectory("not owner", 0577, kUid, 0);
  MakeDirectory("not group", 0757, 0, kGroup);
  MakeDirectory("not entered", 0776, 0, 0);
  const int has_list = MakeListed();
  const pid_t child = AsUser();
  if (child == 0) {
    Refuses();
    SaysFirst();
    Allows("mine");
    Allows("all");
    Allows("group");
    if (has_list) Allows("listed");
    Sticky();
    Moves();
    FAILS(mkdir("not owner/new", 0700), EACCES);
    FAILS(mkdir("not group/new", 0700), EACCES);
    FAILS(mkdir("not entered/new", 0700), EACCES);
    _exit(3);
  }
  CHECK(ExitOf(child) == 3);
  // Root still may all of it.
  CHECK(unlink("sticky/f") == 0 && rename("mine/roots", "not group/roots") == 0 && rmdir("not owner") == 0);
  Allows("roots");
  return Pass();
}
