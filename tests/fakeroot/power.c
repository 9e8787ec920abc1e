// Root's power over modes, and mknod(2) of devices: natively root's, and no file's mode is another afterwards.
#include <dirent.h>
#include <stddef.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

#include "tests/guests/guest.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

// Not every C library has struct statx. ABI: linux/stat.h
enum { kStatxMode = 2, kStatxBasic = 0x7ff };
struct Statx {
  uint32_t mask, block_size;
  uint64_t attributes;
  uint32_t links, uid, gid;
  uint16_t mode, reserved;
  uint64_t number, size, blocks, attributes_mask, times[8];
  uint32_t rdev_major, rdev_minor;
  uint64_t rest[15];
};
_Static_assert(sizeof(struct Statx) == 256 && offsetof(struct Statx, rdev_major) == 128, "as the kernel has it");

static mode_t ModeOf(const char* path) {
  struct stat status;
  CHECK(lstat(path, &status) == 0);
  return status.st_mode & 07777;
}

// What is closed stays closed to everybody else.
static void CheckModes(void) {
  CHECK(ModeOf("closed") == 0 && ModeOf("closed/deep") == 0 && ModeOf("closed/deep/f") == 0644);
  CHECK(ModeOf("fixed") == 0555 && ModeOf("none") == 0);
}

#define DOES(call)      \
  do {                  \
    CHECK((call) >= 0); \
    CheckModes();       \
  } while (0)

static long Opens(long fd) { return fd < 0 ? fd : close((int)fd); }

static void Make(void) {
  CHECK(mkdir("closed", 0755) == 0 && mkdir("closed/deep", 0755) == 0 && mkdir("fixed", 0755) == 0);
  CHECK(close(open("closed/deep/f", O_WRONLY | O_CREAT, 0644)) == 0);
  CHECK(close(open("closed/f", O_WRONLY | O_CREAT, 0644)) == 0);
  CHECK(close(open("none", O_WRONLY | O_CREAT, 0644)) == 0);
  CHECK(symlink("f", "closed/link") == 0);
  CHECK(chmod("closed/deep", 0) == 0 && chmod("closed", 0) == 0 && chmod("fixed", 0555) == 0 && chmod("none", 0) == 0);
}

// Each call by its own number: C libraries use one of several.
static void Search(void) {
  char text[64];
  struct stat status;
  struct Statx extended;
  struct statfs system;
  struct utimbuf times = {1, 2};
  struct timeval both[2] = {{1, 0}, {2, 0}};
  struct timespec exact[2] = {{1, 0}, {2, 0}};
  const int deep = open("closed/deep", O_PATH);
  CHECK(deep >= 0);
  DOES(syscall(SYS_stat, "closed/deep/f", &status));
  DOES(syscall(SYS_lstat, "closed/deep/f", &status));
  DOES(syscall(SYS_newfstatat, deep, "f", &status, 0));
  DOES(syscall(SYS_newfstatat, AT_FDCWD, "closed/deep/f", &status, 0));
  DOES(syscall(SYS_statx, deep, "f", 0, kStatxMode, &extended));
  DOES(syscall(SYS_access, "closed/deep/f", R_OK | W_OK));
  DOES(syscall(SYS_faccessat, deep, "f", F_OK));
  DOES(syscall(SYS_faccessat2, AT_FDCWD, "none", R_OK | W_OK, 0));
  CHECK(access("none", X_OK) == -1 && errno == EACCES);
  DOES(syscall(SYS_readlink, "closed/link", text, sizeof(text)));
  DOES(syscall(SYS_readlinkat, AT_FDCWD, "closed/link", text, sizeof(text)));
  DOES(syscall(SYS_chmod, "closed/f", 0600));
  DOES(syscall(SYS_fchmodat, AT_FDCWD, "closed/f", 0640));
  CHECK(ModeOf("closed/f") == 0640);
  DOES(syscall(SYS_chown, "closed/f", 1, 2));
  DOES(syscall(SYS_lchown, "closed/link", 3, 4));
  DOES(syscall(SYS_fchownat, deep, "f", 5, 6, 0));
  CHECK(stat("closed/f", &status) == 0 && status.st_uid == 1 && status.st_gid == 2);
  CHECK(stat("closed/deep/f", &status) == 0 && status.st_uid == 5 && status.st_gid == 6);
  DOES(syscall(SYS_utime, "closed/deep/f", &times));
  DOES(syscall(SYS_utimes, "closed/deep/f", both));
  DOES(syscall(SYS_futimesat, deep, "f", both));
  DOES(syscall(SYS_utimensat, deep, "f", exact, 0));
  CHECK(stat("closed/deep/f", &status) == 0 && status.st_mtime == 2);
  DOES(syscall(SYS_statfs, "closed/deep/f", &system));
  DOES(syscall(SYS_truncate, "none", 0));
  const int watch = inotify_init();
  DOES(syscall(SYS_inotify_add_watch, watch, "none", IN_OPEN));
  CHECK(close(watch) == 0 && close(deep) == 0);
  CHECK(getxattr("closed/deep/f", "user.none", text, sizeof(text)) == -1 && (errno == ENODATA || errno == EOPNOTSUPP));
  CHECK(listxattr("closed/deep/f", text, sizeof(text)) >= 0 || errno == EOPNOTSUPP || errno == ERANGE);
  CheckModes();
}

// By names that lie in them, and so take what they lend.
static void LookAtLenders(void) {
  struct stat status;
  struct Statx extended;
  CHECK(ModeOf("closed/.") == 0 && ModeOf("closed/deep/.") == 0 && ModeOf("closed/deep/..") == 0);
  CHECK(syscall(SYS_stat, "closed/.", &status) == 0 && (status.st_mode & 07777) == 0);
  CHECK(syscall(SYS_lstat, "closed/deep/../.", &status) == 0 && status.st_mode == S_IFDIR);
  CHECK(syscall(SYS_newfstatat, AT_FDCWD, "closed/deep/.", &status, 0) == 0 && status.st_mode == S_IFDIR);
  CHECK(syscall(SYS_statx, AT_FDCWD, "closed/.", 0, kStatxBasic, &extended) == 0 && extended.mode == S_IFDIR);
  CheckModes();
}

static void Open(void) {
  char byte;
  DOES(Opens(syscall(SYS_open, "none", O_RDWR)));
  DOES(Opens(syscall(SYS_open, "closed/deep/f", O_RDONLY)));
  DOES(Opens(syscall(SYS_openat, AT_FDCWD, "none", O_WRONLY | O_APPEND)));
  DOES(Opens(syscall(SYS_creat, "none", 0600)));
  const uint64_t how[3] = {O_RDONLY, 0, 0};
  DOES(Opens(syscall(SYS_openat2, AT_FDCWD, "closed/deep/f", how, sizeof(how))));
  DIR* const all = opendir("closed");
  CHECK(all != NULL);
  int entries = 0;
  while (readdir(all) != NULL) ++entries;
  CHECK(closedir(all) == 0 && entries == 5);
  CheckModes();
  // Its mode says nothing to who has it open.
  const int made = open("fixed/made", O_RDWR | O_CREAT | O_EXCL, 0);
  CHECK(made >= 0 && write(made, "x", 1) == 1 && pread(made, &byte, 1, 0) == 1 && close(made) == 0);
  CHECK(ModeOf("fixed/made") == 0);
  CheckModes();
  DOES(unlink("fixed/made"));
}

static void Change(void) {
  DOES(syscall(SYS_mkdir, "fixed/a", 0755));
  DOES(syscall(SYS_mkdirat, AT_FDCWD, "closed/a", 0));
  DOES(syscall(SYS_symlink, "x", "fixed/s"));
  DOES(syscall(SYS_symlinkat, "x", AT_FDCWD, "closed/deep/s"));
  DOES(syscall(SYS_link, "none", "fixed/l"));
  DOES(syscall(SYS_linkat, AT_FDCWD, "closed/f", AT_FDCWD, "fixed/k", 0));
  DOES(syscall(SYS_rename, "fixed/l", "fixed/m"));
  DOES(syscall(SYS_renameat, AT_FDCWD, "fixed/m", AT_FDCWD, "closed/deep/m"));
  DOES(syscall(SYS_renameat2, AT_FDCWD, "closed/deep/m", AT_FDCWD, "fixed/m", 0));
  DOES(syscall(SYS_unlink, "fixed/m"));
  DOES(syscall(SYS_unlinkat, AT_FDCWD, "closed/deep/s", 0));
  DOES(syscall(SYS_unlinkat, AT_FDCWD, "closed/a", AT_REMOVEDIR));
  DOES(syscall(SYS_rmdir, "fixed/a"));
  DOES(syscall(SYS_mknod, "fixed/fifo", S_IFIFO | 0600, 0));
  DOES(syscall(SYS_mknodat, AT_FDCWD, "closed/deep/fifo", S_IFIFO | 0600, 0));
  CHECK(unlink("fixed/fifo") == 0 && unlink("closed/deep/fifo") == 0 && unlink("fixed/s") == 0 &&
        unlink("fixed/k") == 0);
  // What there is not, is not there.
  CHECK(open("closed/nothing", O_RDONLY) == -1 && errno == ENOENT);
  CHECK(mkdir("closed/deep", 0755) == -1 && errno == EEXIST);
  CHECK(rmdir("closed") == -1 && errno == ENOTEMPTY);
  CHECK(mkdir("none/x", 0755) == -1 && errno == ENOTDIR);
  CheckModes();
}

// A tree that shuts itself while somebody is in it.
static void Inside(void) {
  CHECK(chdir("closed") == 0);
  CHECK(ModeOf("f") == 0640 && close(open("f", O_RDONLY)) == 0 && chdir("deep") == 0 && ModeOf("f") == 0644);
  CHECK(close(open("../f", O_RDONLY)) == 0 && chdir("../..") == 0);
  CheckModes();
  // How a directory was opened says nothing of whether it may be entered.
  const int read = open("closed/deep", O_RDONLY | O_DIRECTORY), named = open("closed", O_PATH | O_DIRECTORY);
  CHECK(read >= 0 && named >= 0);
  CHECK(fchdir(read) == 0 && ModeOf("f") == 0644 && fchdir(named) == 0 && ModeOf("f") == 0640 && chdir("..") == 0);
  CHECK(close(read) == 0 && close(named) == 0);
  CheckModes();
}

// What the working directory says of a name.
static int TypeListed(const char* name) {
  int type = -1;
  DIR* const all = opendir(".");
  CHECK(all != NULL);
  for (struct dirent* entry; (entry = readdir(all)) != NULL;) {
    if (strcmp(entry->d_name, name) == 0) type = entry->d_type;
  }
  CHECK(closedir(all) == 0);
  return type;
}

static void Devices(void) {
  const struct Node {
    mode_t mode;
    unsigned major, minor;
  } kNodes[] = {{S_IFCHR | 0640, 1, 3}, {S_IFBLK | 0600, 8, 17}, {S_IFCHR, 0xabc, 0x12345}, {S_IFBLK | 07777, 1, 256}};
  umask(022);
  for (int i = 0; i < 8; ++i) {
    const struct Node* const node = &kNodes[i / 2];
    const char* const path = i % 4 < 2 ? "node" : "fixed/node";
    struct stat status;
    struct Statx extended;
    if (i % 2 == 0) {
      CHECK(mknod(path, node->mode, makedev(node->major, node->minor)) == 0);
    } else {
      CHECK(syscall(SYS_mknod, path, node->mode, makedev(node->major, node->minor)) == 0);
    }
    CHECK(mknod(path, node->mode, 0) == -1 && errno == EEXIST);
    CHECK(lstat(path, &status) == 0 && syscall(SYS_statx, AT_FDCWD, path, 0, kStatxBasic, &extended) == 0);
    CHECK(status.st_mode == (node->mode & ~022u) && extended.mode == status.st_mode);
    CHECK(status.st_rdev == makedev(node->major, node->minor) && status.st_size == 0 && status.st_uid == 0);
    CHECK(extended.rdev_major == node->major && extended.rdev_minor == node->minor);
    // It stays what it is, whatever else changes.
    CHECK(chmod(path, 0604) == 0 && chown(path, 3, 4) == 0 && rename(path, "moved") == 0 &&
          link("moved", "again") == 0);
    CHECK(stat("again", &status) == 0 && status.st_mode == ((node->mode & S_IFMT) | 0604) && status.st_uid == 3);
    CHECK(status.st_rdev == makedev(node->major, node->minor) && status.st_nlink == 2);
    CHECK(TypeListed("again") == (S_ISBLK(node->mode) ? DT_BLK : DT_CHR) && TypeListed("fixed") == DT_DIR);
    CHECK(unlink("again") == 0 && unlink("moved") == 0);
    // And what comes after it with its name, or number, is not.
    CHECK(close(open(path, O_WRONLY | O_CREAT, 0644)) == 0);
    CHECK(stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_rdev == 0 && unlink(path) == 0);
  }
  CHECK(mknod("nowhere/node", S_IFCHR, 0) == -1 && errno == ENOENT);
  CHECK(mknod("node", S_IFDIR, 0) == -1 && errno == EPERM);
}

// Of the process, to the kernel: /proc says so whatever the session shows.
static int HasCapabilities(void) {
  char line[256];
  unsigned long long effective = 0;
  FILE* const status = fopen("/proc/self/status", "r");
  CHECK(status != NULL);
  while (fgets(line, sizeof(line), status) != NULL) sscanf(line, "CapEff: %llx", &effective);
  fclose(status);
  return effective != 0;
}

// Who has given root's ids up has given its power up. (Not a session of root's own, which lends it what root has.)
static void Without(void) {
  const pid_t child = fork();
  if (child == 0) {
    CHECK(setresuid(1000, 1000, 1000) == 0);
    if (HasCapabilities()) _exit(0);
    CHECK(open("none", O_RDONLY) == -1 && errno == EACCES);
    CHECK(mkdir("fixed/x", 0755) == -1 && errno == EACCES);
    CHECK(mknod("/tmp/power-node", S_IFCHR, 0x103) == -1 && errno == EPERM);
    _exit(0);
  }
  CHECK(ExitOf(child) == 0);
}

int main(void) {
  umask(0);
  Make();
  CheckModes();
  Search();
  LookAtLenders();
  Open();
  Change();
  Inside();
  Devices();
  Without();
  CheckModes();
  return Pass();
}
