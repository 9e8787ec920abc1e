// Files that stay open over several steps, and what a directory of few names holds.
#include <dirent.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "tests/stress/stress.h"

enum { kNameSize = 16, kMost = 9000 };

// One of nine names; by its path from the working directory if `from` is AT_FDCWD.
static void DrawName(struct Stream* stream, int* from, char name[kNameSize]) {
  const int which = (int)Below(stream, 9);
  *from = Below(stream, 2) == 0 ? AT_FDCWD : stream->directory;
  const char kind = which < 5 ? 'f' : which < 7 ? 'd' : 'l';
  if (*from == AT_FDCWD) {
    snprintf(name, kNameSize, "s%d/%c%d", stream->number, kind, which);
  } else {
    snprintf(name, kNameSize, "%c%d", kind, which);
  }
}

static int* Kept(struct Stream* stream) { return &stream->files[Below(stream, kKeptFiles)]; }

static void FoldStatus(struct Stream* stream, const struct stat* status) {
  Fold(stream, status->st_mode);
  Fold(stream, S_ISDIR(status->st_mode) ? 0 : status->st_nlink);
  Fold(stream, S_ISDIR(status->st_mode) ? 0 : (uint64_t)status->st_size);
  CHECK(status->st_uid == ExpectedUid());
}

static void Open(struct Stream* stream) {
  static const int kFlags[] = {O_CREAT, O_CREAT | O_TRUNC, O_CREAT | O_APPEND, O_CREAT | O_EXCL,
                               0,       O_NOFOLLOW,        O_DIRECTORY};
  int from;
  char name[kNameSize];
  int* const kept = Kept(stream);
  if (*kept >= 0) Fold(stream, (uint64_t)CALL(stream, close, *kept));
  DrawName(stream, &from, name);
  const int flags = kFlags[Below(stream, 7)] | (Below(stream, 4) == 0 ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
  const long fd = from == AT_FDCWD && Below(stream, 2) == 0 ? CALL(stream, open, P(name), flags, 0644)
                                                            : CALL(stream, openat, from, P(name), flags, 0644);
  FoldFd(stream, fd);
  *kept = fd < 0 ? -1 : (int)fd;
}

static void WriteFile(struct Stream* stream) {
  unsigned char bytes[kMost];
  const int fd = *Kept(stream);
  const size_t size = Below(stream, 4) == 0 ? Below(stream, kMost) : Below(stream, 64);
  const long offset = (long)Below(stream, 20000);
  Fill(stream, bytes, size);
  const struct iovec parts[2] = {{bytes, size / 3}, {bytes + size / 3, size - size / 3}};
  switch (Below(stream, 4)) {
    case 0:
      Fold(stream, (uint64_t)CALL(stream, pwrite64, fd, P(bytes), (long)size, offset));
      break;
    case 1:
      Fold(stream, (uint64_t)CALL(stream, writev, fd, P(parts), 2));
      break;
    case 2:
      Fold(stream, (uint64_t)CALL(stream, pwritev, fd, P(parts), 2, offset, 0));
      break;
    default:
      Fold(stream, (uint64_t)CALL(stream, write, fd, P(bytes), (long)size));
  }
}

static void ReadFile(struct Stream* stream) {
  unsigned char bytes[kMost];
  const int fd = *Kept(stream);
  const size_t size = Below(stream, kMost);
  const long offset = (long)Below(stream, 20000);
  const struct iovec parts[2] = {{bytes, size / 3}, {bytes + size / 3, size - size / 3}};
  long got;
  switch (Below(stream, 4)) {
    case 0:
      got = CALL(stream, pread64, fd, P(bytes), (long)size, offset);
      break;
    case 1:
      got = CALL(stream, readv, fd, P(parts), 2);
      break;
    case 2:
      got = CALL(stream, preadv, fd, P(parts), 2, offset, 0);
      break;
    default:
      got = CALL(stream, read, fd, P(bytes), (long)size);
  }
  Fold(stream, (uint64_t)got);
  if (got > 0) FoldBytes(stream, bytes, (size_t)got);
}

static void Seek(struct Stream* stream) {
  static const int kWhence[] = {SEEK_SET, SEEK_CUR, SEEK_END, 77};
  const int fd = *Kept(stream);
  const int whence = kWhence[Below(stream, 4)];
  const long offset = (long)Below(stream, 30000) - 3000;
  struct stat status;
  // A directory's offsets are its file system's business.
  if (fd >= 0 && (CALL(stream, fstat, fd, P(&status)) != 0 || S_ISDIR(status.st_mode))) return;
  Fold(stream, (uint64_t)CALL(stream, lseek, fd, offset, whence));
}

static void Size(struct Stream* stream) {
  int from;
  char name[kNameSize];
  const int fd = *Kept(stream);
  const long size = (long)Below(stream, 25000) - 100;
  DrawName(stream, &from, name);
  if (from == AT_FDCWD) {
    Fold(stream, (uint64_t)CALL(stream, truncate, P(name), size));
  } else if (Below(stream, 3) == 0) {
    Fold(stream, (uint64_t)CALL(stream, fallocate, fd, 0, (long)Below(stream, 5000), size));
  } else {
    Fold(stream, (uint64_t)CALL(stream, ftruncate, fd, size));
  }
}

static void MapFile(struct Stream* stream) {
  const int fd = *Kept(stream);
  struct stat status;
  if (fd < 0 || CALL(stream, fstat, fd, P(&status)) != 0 || !S_ISREG(status.st_mode)) return;
  const int is_shared = (int)Below(stream, 2);
  const int access = PROT_READ | (Below(stream, 2) == 0 ? PROT_WRITE : 0);
  const long at = CALL(stream, mmap, 0, 2 * kPage, access, is_shared ? MAP_SHARED : MAP_PRIVATE, fd, kPage);
  Fold(stream, at < 0 && at > -4096 ? (uint64_t)at : 0);
  if (at < 0 && at > -4096) return;
  unsigned char* const bytes = (unsigned char*)(uintptr_t)at;
  const long there = status.st_size - kPage;
  if (there > 0) {
    const size_t place = Below(stream, (uint64_t)(there < 2 * kPage ? there : 2 * kPage));
    if ((access & PROT_WRITE) != 0) bytes[place] ^= 0x5a;
    Fold(stream, bytes[place]);
    Fold(stream, (uint64_t)CALL(stream, msync, at, kPage, MS_ASYNC));
  }
  Fold(stream, (uint64_t)CALL(stream, munmap, at, 2 * kPage));
}

static void Copy(struct Stream* stream) {
  const int from = *Kept(stream), to = *Kept(stream);
  long offset = (long)Below(stream, 3000), to_offset = 30000;
  const long size = (long)Below(stream, 6000);
  if (from == to) return;
  if (Below(stream, 2) == 0) {
    Fold(stream, (uint64_t)CALL(stream, sendfile, to, from, P(&offset), size));
  } else {
    Fold(stream, (uint64_t)CALL(stream, copy_file_range, from, P(&offset), to, P(&to_offset), size, 0));
  }
  Fold(stream, (uint64_t)offset);
}

static void Lock(struct Stream* stream) {
  const int fd = *Kept(stream);
  struct flock lock = {.l_type = (short)Below(stream, 3), .l_start = (long)Below(stream, 100), .l_len = 10};
  switch (Below(stream, 3)) {
    case 0:
      Fold(stream, (uint64_t)CALL(stream, flock, fd, LOCK_SH | LOCK_NB));
      Fold(stream, (uint64_t)CALL(stream, flock, fd, LOCK_UN));
      break;
    case 1:
      Fold(stream, (uint64_t)CALL(stream, fcntl, fd, F_OFD_SETLK, P(&lock)));
      lock.l_type = F_UNLCK;
      Fold(stream, (uint64_t)CALL(stream, fcntl, fd, F_OFD_SETLK, P(&lock)));
      break;
    default:
      Fold(stream, (uint64_t)CALL(stream, fcntl, fd, F_GETFL));
      Fold(stream, (uint64_t)CALL(stream, fcntl, fd, F_GETFD));
  }
}

static void Status(struct Stream* stream) {
  int from;
  char name[kNameSize];
  struct stat status;
  struct statx wide;
  DrawName(stream, &from, name);
  long result;
  switch (Below(stream, 4)) {
    case 0:
      result = CALL(stream, newfstatat, from, P(name), P(&status), AT_SYMLINK_NOFOLLOW);
      break;
    case 1:
      result = from == AT_FDCWD ? CALL(stream, stat, P(name), P(&status)) : CALL(stream, fstat, from, P(&status));
      break;
    case 2:
      result = CALL(stream, newfstatat, *Kept(stream), P(""), P(&status), AT_EMPTY_PATH);
      break;
    default:
      result = CALL(stream, statx, from, P(name), 0, STATX_BASIC_STATS, P(&wide));
      status.st_mode = wide.stx_mode;
      status.st_nlink = wide.stx_nlink;
      status.st_size = (off_t)wide.stx_size;
      status.st_uid = wide.stx_uid;
  }
  Fold(stream, (uint64_t)result);
  if (result == 0) FoldStatus(stream, &status);
}

static void Access(struct Stream* stream) {
  int from;
  char name[kNameSize], target[64] = "";
  DrawName(stream, &from, name);
  Fold(stream, (uint64_t)CALL(stream, faccessat, from, P(name), (long)Below(stream, 8)));
  Fold(stream, (uint64_t)CALL(stream, readlinkat, from, P(name), P(target), sizeof(target)));
  FoldBytes(stream, target, sizeof(target));
}

static void Change(struct Stream* stream) {
  int from;
  char name[kNameSize];
  struct stat status;
  DrawName(stream, &from, name);
  if (Below(stream, 2) == 0) {
    // Its user may always write and search.
    Fold(stream, (uint64_t)CALL(stream, fchmodat, from, P(name), (long)Below(stream, 64) | 0700));
    return;
  }
  const struct timespec times[2] = {{(long)Below(stream, 1u << 30), 5}, {(long)Below(stream, 1u << 30), 6}};
  const long result = CALL(stream, utimensat, from, P(name), P(times), 0);
  Fold(stream, (uint64_t)result);
  if (result == 0 && CALL(stream, newfstatat, from, P(name), P(&status), 0) == 0) {
    Fold(stream, (uint64_t)status.st_mtim.tv_sec);
  }
}

static void Two(struct Stream* stream) {
  int from, to;
  char name[kNameSize], other[kNameSize];
  DrawName(stream, &from, name);
  DrawName(stream, &to, other);
  switch (Below(stream, 5)) {
    case 0:
      Fold(stream, (uint64_t)CALL(stream, linkat, from, P(name), to, P(other), 0));
      break;
    case 1:
      Fold(stream, (uint64_t)CALL(stream, symlinkat, P(name), to, P(other)));
      break;
    case 2:
      Fold(stream, (uint64_t)CALL(stream, renameat2, from, P(name), to, P(other), (long)Below(stream, 3)));
      break;
    default:
      Fold(stream, (uint64_t)CALL(stream, renameat, from, P(name), to, P(other)));
  }
}

static void One(struct Stream* stream) {
  int from;
  char name[kNameSize];
  DrawName(stream, &from, name);
  switch (Below(stream, 6)) {
    case 0:
      Fold(stream, (uint64_t)CALL(stream, mkdirat, from, P(name), 0755));
      break;
    case 1:
      Fold(stream, (uint64_t)CALL(stream, unlinkat, from, P(name), AT_REMOVEDIR));
      break;
    case 2:
      // Children of others may hold its ends.
      if (stream->alone) Fold(stream, (uint64_t)CALL(stream, mknodat, from, P(name), S_IFIFO | 0644, 0));
      break;
    case 3:
      Fold(stream, (uint64_t)(from == AT_FDCWD ? CALL(stream, unlink, P(name)) : CALL(stream, rmdir, P(""))));
      break;
    default:
      Fold(stream, (uint64_t)CALL(stream, unlinkat, from, P(name), 0));
  }
}

// The names, whatever their order: a sum of their sums.
static void List(struct Stream* stream) {
  char bytes[512] __attribute__((aligned(8)));
  uint64_t all = 0;
  const long fd = CALL(stream, openat, stream->directory, P("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  FoldFd(stream, fd);
  for (long got; (got = CALL(stream, getdents64, fd, P(bytes), sizeof(bytes))) != 0;) {
    CHECK(got > 0);
    for (long at = 0; at < got;) {
      struct dirent64* const entry = (struct dirent64*)(bytes + at);
      uint64_t sum = entry->d_type;
      for (const char* c = entry->d_name; *c != '\0'; ++c) sum = (sum ^ (unsigned char)*c) * 1099511628211u;
      all += sum;
      at += entry->d_reclen;
    }
  }
  Fold(stream, all);
  Fold(stream, (uint64_t)CALL(stream, close, fd));
}

static void Wrong(struct Stream* stream) {
  char long_name[PATH_MAX + 8];
  memset(long_name, 'n', sizeof(long_name));
  long_name[sizeof(long_name) - 1] = '\0';
  long_name[1000] = Below(stream, 2) == 0 ? 'n' : '\0';
  Fold(stream, (uint64_t)CALL(stream, openat, stream->directory, P(long_name), O_RDONLY));
  Fold(stream, (uint64_t)CALL(stream, openat, stream->directory, 8, O_RDONLY));
  Fold(stream, (uint64_t)CALL(stream, openat, -1, P("f0"), O_RDONLY));
  Fold(stream, (uint64_t)CALL(stream, write, *Kept(stream), 8, 5));
  Fold(stream, (uint64_t)CALL(stream, newfstatat, stream->directory, P("."), 8, 0));
  Fold(stream, (uint64_t)CALL(stream, unlinkat, stream->directory, P("."), AT_REMOVEDIR));
  Fold(stream, (uint64_t)CALL(stream, getdents64, stream->directory, 8, 512));
}

const struct Operation kFileOperations[] = {
    {"open", Open, 60, 0}, {"write", WriteFile, 60, 0}, {"read", ReadFile, 60, 0},
    {"seek", Seek, 30, 0}, {"set a size", Size, 20, 0}, {"map a file", MapFile, 20, 0},
    {"copy", Copy, 20, 0}, {"lock", Lock, 20, 0},       {0},
};

const struct Operation kTreeOperations[] = {
    {"status", Status, 60, 0}, {"access", Access, 30, 0}, {"mode or times", Change, 20, 0},  {"two names", Two, 40, 0},
    {"one name", One, 40, 0},  {"list", List, 20, 0},     {"wrong arguments", Wrong, 10, 0}, {0},
};
