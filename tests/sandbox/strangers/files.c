// Attempts on files: the hidden one, the read-only one, and what stands on descriptor 0.
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>

#include "tests/sandbox/strangers/strangers.h"

// --- the secret, by other names
static long Open2(int directory, const char* path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {.flags = flags, .resolve = resolve};
  return DO4(SYS_openat2, directory, path, &how, sizeof(how));
}
static int SecretByOpenat2(void) {
  const long root = Open("/", O_PATH | O_DIRECTORY);
  return Reads(Open2(AT_FDCWD, Secret(), O_RDONLY, 0)) ||
         Reads(Open2((int)root, Secret(), O_RDONLY, RESOLVE_IN_ROOT)) ||
         Reads(Open2((int)root, Secret() + 1, O_RDONLY, RESOLVE_BENEATH));
}
static int SecretByPathDescriptor(void) {
  const long home = Open(Home(), O_PATH | O_DIRECTORY);
  const char* const below = Secret() + strlen(Home()) + 1;
  return Reads(DO4(SYS_openat, home, below, O_RDONLY, 0)) ||
         Reads(Open(Text("/proc/self/fd/%ld/%s", home, below), O_RDONLY)) ||
         Reads(Open(Text("/dev/fd/%ld/%s", home, below), O_RDONLY));
}
static int SecretByOwnRoot(void) {
  return Reads(Open(Text("/proc/self/root%s", Secret()), O_RDONLY)) ||
         Reads(Open(Text("/proc/thread-self/root%s", Secret()), O_RDONLY)) ||
         Reads(Open(Text("/proc/self/task/%d/root%s", getpid(), Secret()), O_RDONLY));
}
static int SecretByAnyRoot(void) {
  for (int pid = 1; pid < 300; ++pid) {
    if (Reads(Open(Text("/proc/%d/root%s", pid, Secret()), O_RDONLY))) return 1;
  }
  return Reads(Open(Text("/proc/%d/root%s", Outside(), Secret()), O_RDONLY));
}
static int SecretByWorkingDirectory(void) {
  if (DO1(SYS_chdir, Env("HIDDEN")) != 0) return 0;
  return Reads(Open(strrchr(Secret(), '/') + 1, O_RDONLY)) ||
         Reads(Open(Text("/proc/self/cwd%s", strrchr(Secret(), '/')), O_RDONLY));
}
static int SecretByAnyDescriptor(void) {
  for (int fd = 3; fd < 4096; ++fd) {
    if (Reads(fd) || Reads(Open(Text("/proc/self/fd/%d", fd), O_RDONLY))) return 1;
  }
  return 0;
}
static int SecretByDescriptorsOfOthers(void) {
  for (int pid = 1; pid < 64; ++pid) {
    for (int fd = 3; fd < 12; ++fd) {
      if (Reads(Open(Text("/proc/%d/fd/%d", pid, fd), O_RDONLY))) return 1;
    }
  }
  return Reads(Open(Text("/proc/%d/fd/5", getppid()), O_RDONLY));
}
static int SecretByLongPath(void) {
  char path[4000] = "";
  while (strlen(path) + strlen(Secret()) + 16 < sizeof(path)) strcat(path, "/proc/..");
  return Reads(Open(strcat(path, Secret()), O_RDONLY));
}
static int SecretBySymlinkChain(void) {
  const char* const scratch = Scratch();
  const char* target = "/proc/self/root";
  for (int i = 0; i < 3; ++i) {
    const char* const link = Text("%s/%d", scratch, i);
    if (DO3(SYS_symlinkat, target, AT_FDCWD, link) != 0) return 0;
    target = link;
  }
  return Reads(Open(Text("%s%s", target, Secret()), O_RDONLY));
}
static int SecretByRenamedParent(void) {
  const char* const other = Text("%s.moved", Env("HIDDEN"));
  if (DO5(SYS_renameat2, AT_FDCWD, Env("HIDDEN"), AT_FDCWD, other, 0) != 0) return 0;
  const int out = Reads(Open(Text("%s%s", other, strrchr(Secret(), '/')), O_RDONLY));
  DO5(SYS_renameat2, AT_FDCWD, other, AT_FDCWD, Env("HIDDEN"), 0);
  return out;
}
static int SecretByAio(void) {
  char byte = 0;
  aio_context_t context = 0;
  struct io_event event;
  const long fd = Open(Secret(), O_RDONLY);
  struct iocb block = {.aio_fildes = fd >= 0 ? (uint32_t)fd : 5,
                       .aio_lio_opcode = IOCB_CMD_PREAD,
                       .aio_buf = (uintptr_t)&byte,
                       .aio_nbytes = 1};
  struct iocb* const blocks[] = {&block};
  if (DO2(SYS_io_setup, 1, &context) != 0 || DO3(SYS_io_submit, context, 1, blocks) != 1) return 0;
  return DO5(SYS_io_getevents, context, 1, 1, &event, NULL) == 1 && byte == 's';
}
static int SecretSeen(void) {
  struct statx status;
  return DO5(SYS_statx, AT_FDCWD, Secret(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status) == 0;
}
static int SecretWatched(void) { return DO3(SYS_inotify_add_watch, DO1(SYS_inotify_init1, 0), Secret(), 0xfff) >= 0; }

// --- the victim, by other names
static int VictimByOpenat2(void) { return Writes(Open2(AT_FDCWD, Victim(), O_WRONLY, RESOLVE_NO_SYMLINKS)); }
static int VictimByPathReopen(void) {
  const long fd = Open(Victim(), O_PATH);
  return Writes(Open(Text("/proc/self/fd/%ld", fd), O_WRONLY)) ||
         Writes(Open(Text("/proc/thread-self/fd/%ld", fd), O_RDWR | O_APPEND));
}
static int VictimByReadReopen(void) {
  const long fd = Open(Victim(), O_RDONLY);
  return Writes(Open(Text("/dev/fd/%ld", fd), O_WRONLY)) ||
         Writes(Open2(AT_FDCWD, Text("/proc/self/fd/%ld", fd), O_RDWR, 0));
}
static int VictimByInputForms(void) {
  const pid_t self = getpid();
  const char* const forms[] = {"/dev/stdin",
                               "/dev/fd/0",
                               "/proc/thread-self/fd/0",
                               Text("/proc/%d/fd/0", self),
                               Text("/proc/self/task/%d/fd/0", self),
                               Text("/proc/self/fd/%ld", DO1(SYS_dup, 0)),
                               "/proc/self/root/proc/self/fd/0"};
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); ++i) {
    if (Writes(Open(forms[i], O_WRONLY)) || Writes(Open(forms[i], O_RDWR | O_APPEND))) return 1;
  }
  return 0;
}
static int VictimByInputOfKid(void) {
  const pid_t kid = Kid();
  if (kid == 0) return pause();
  const int out = Writes(Open(Text("/proc/%d/fd/0", kid), O_WRONLY));
  kill(kid, SIGKILL);
  ExitOf(kid);
  return out;
}
static int InputTruncated(void) {
  const char* const forms[] = {"/proc/self/fd/0", "/dev/stdin"};
  struct stat status;
  for (int i = 0; i < 2; ++i) {
    if (fstat(0, &status) == 0 && DO2(SYS_truncate, forms[i], status.st_size + 1) == 0) return 1;
    if (Open(forms[i], O_RDONLY | O_TRUNC) >= 0 && fstat(0, &status) == 0 && status.st_size == 0) return 1;
  }
  return 0;
}
// A descriptor of the victim, writable if there is any way.
static long Best(void) {
  long fd = Open(Victim(), O_RDWR);
  if (fd < 0) fd = Open("/proc/self/fd/0", O_RDWR);
  return fd >= 0 ? fd : Open(Victim(), O_RDONLY);
}
static int VictimByAio(void) {
  aio_context_t context = 0;
  struct io_event event;
  struct iocb block = {.aio_fildes = (uint32_t)Best(),
                       .aio_lio_opcode = IOCB_CMD_PWRITE,
                       .aio_buf = (uintptr_t) "escaped",
                       .aio_nbytes = 7};
  struct iocb* const blocks[] = {&block};
  if (DO2(SYS_io_setup, 1, &context) != 0 || DO3(SYS_io_submit, context, 1, blocks) != 1) return 0;
  return DO5(SYS_io_getevents, context, 1, 1, &event, NULL) == 1 && event.res == 7;
}
static int VictimBySplice(void) {
  int ends[2];
  long long offset = 0;
  CHECK(pipe(ends) == 0 && write(ends[1], "escaped", 7) == 7);
  return DO6(SYS_splice, ends[0], NULL, Best(), &offset, 7, 0) > 0;
}
static int VictimByVmsplice(void) {
  int ends[2];
  char text[] = "escaped";
  const struct iovec part = {text, 7};
  CHECK(pipe(ends) == 0);
  return DO4(SYS_vmsplice, ends[1], &part, 1, 0) == 7 && DO6(SYS_splice, ends[0], NULL, Best(), NULL, 7, 0) > 0;
}
static int VictimBySendfile(void) {
  long long offset = 0;
  return DO4(SYS_sendfile, Best(), Open(own_path, O_RDONLY), &offset, 7) == 7;
}
static int VictimByCopyRange(void) {
  long long from = 0, to = 0;
  const long memory = DO2(SYS_memfd_create, "from", 0);
  CHECK(memory >= 0 && write((int)memory, "escaped", 7) == 7);
  return DO6(SYS_copy_file_range, memory, &from, Best(), &to, 7, 0) > 0 ||
         DO6(SYS_copy_file_range, Open(own_path, O_RDONLY), &from, Best(), &to, 7, 0) > 0;
}
static int VictimByFallocate(void) {
  return DO4(SYS_fallocate, Best(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;
}
static int VictimByFtruncate(void) { return DO2(SYS_ftruncate, Best(), 100) == 0; }
static int VictimByVector(void) {
  char text[] = "escaped";
  const struct iovec part = {text, 7};
  return DO6(SYS_pwritev2, Best(), &part, 1, -1, -1, 0x10 /* RWF_APPEND */) == 7;
}
static int VictimBySharedMap(void) {
  const int fd = (int)Best();
  if (DO2(SYS_ftruncate, fd, 100) != 0) return 0;
  char* const map = (char*)DO6(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if ((long)map < 0 && (long)map > -4096) return 0;
  map[0] = 'e';
  return DO3(SYS_msync, map, 4096, MS_SYNC) == 0;
}
static char* MapInput(int kind) {
  char* const map = mmap(NULL, 4096, PROT_READ, kind, 0, 0);
  CHECK(map != MAP_FAILED);
  return map;
}
// None of these three succeeds on a kernel without the bug.
static int InputByMemory(void) {
  char* const map = MapInput(MAP_SHARED);
  const long memory = Open("/proc/self/mem", O_RDWR);
  return DO4(SYS_pwrite64, memory, "escaped", 7, map) == 7 || DO3(SYS_mprotect, map, 4096, PROT_WRITE) == 0;
}
static int InputByPipePages(void) {
  int ends[2];
  long long offset = 0;
  char before[8] = "", after[8] = "";
  CHECK(pipe(ends) == 0 && pread(0, before, 7, 0) > 0);
  DO6(SYS_splice, 0, &offset, ends[1], NULL, 1, 0);
  DO3(SYS_write, ends[1], "dirty", 5);
  return pread(0, after, 7, 0) > 0 && memcmp(before, after, 7) != 0;
}
static char* raced_map;
static void* Forget(void* unused) {
  for (;;) DO3(SYS_madvise, raced_map, 4096, MADV_DONTNEED);
  return unused;
}
static int InputByCopyOnWriteRace(void) {
  pthread_t thread;
  char before[8] = "", after[8] = "";
  CHECK(pread(0, before, 7, 0) > 0);
  raced_map = MapInput(MAP_PRIVATE);
  CHECK(pthread_create(&thread, NULL, Forget, NULL) == 0);
  const long memory = Open("/proc/self/mem", O_RDWR);
  for (int i = 0; i < 20000; ++i) DO4(SYS_pwrite64, memory, "dirty", 5, raced_map);
  return pread(0, after, 7, 0) > 0 && memcmp(before, after, 7) != 0;
}

// --- the victim, raced for
static int IsVictim(long fd) {
  struct stat here, there;
  return fd >= 0 && fstat((int)fd, &here) == 0 && stat(Victim(), &there) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}
static int VictimByExchangeRace(void) {
  const char* const scratch = Scratch();
  const char *const link = Text("%s/link", scratch), *const real = Text("%s/real", scratch);
  const char* const path = Text("%s%s", real, strrchr(Victim(), '/'));
  CHECK(mkdir(real, 0700) == 0 && symlink(Home(), link) == 0 && close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
  const pid_t kid = Kid();
  while (kid == 0) DO5(SYS_renameat2, AT_FDCWD, link, AT_FDCWD, real, RENAME_EXCHANGE);
  int out = 0;
  for (int i = 0; i < 30000 && !out; ++i) {
    const long fd = Open(path, O_WRONLY);
    out = IsVictim(fd) && Writes(fd);
    if (fd >= 0) close((int)fd);
  }
  kill(kid, SIGKILL);
  ExitOf(kid);
  return out;
}
static int SecretByMovedDirectory(void) {
  const char* const scratch = Scratch();
  const char *const deep = Text("%s/a/b", scratch), *const high = Text("%s/b", scratch);
  CHECK(mkdir(Text("%s/a", scratch), 0700) == 0 && mkdir(deep, 0700) == 0 && chdir(deep) == 0);
  const pid_t kid = Kid();
  while (kid == 0) {
    DO5(SYS_renameat2, AT_FDCWD, deep, AT_FDCWD, high, 0);
    DO5(SYS_renameat2, AT_FDCWD, high, AT_FDCWD, deep, 0);
  }
  int out = 0;
  for (int i = 0; i < 20000 && !out; ++i) {
    out = Reads(Open(Text("../../../../../../..%s", Secret()), O_RDONLY));
  }
  kill(kid, SIGKILL);
  ExitOf(kid);
  return out;
}
static int VictimByLinkedDescriptor(void) {
  const char* const name = Text("%s/link", Scratch());
  const long fd = Open(Victim(), O_PATH);
  return (DO5(SYS_linkat, fd, "", AT_FDCWD, name, AT_EMPTY_PATH) == 0 ||
          DO5(SYS_linkat, AT_FDCWD, Text("/proc/self/fd/%ld", fd), AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0) &&
         Writes(Open(name, O_WRONLY));
}
static int InputLinked(void) {
  const char* const name = Text("%s/link", Scratch());
  return DO5(SYS_linkat, AT_FDCWD, "/proc/self/fd/0", AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 &&
         Writes(Open(name, O_WRONLY));
}
static int VictimExchanged(void) {
  const char* const other = Text("%s/other", Scratch());
  CHECK(close(open(other, O_CREAT | O_WRONLY, 0600)) == 0);
  if (DO5(SYS_renameat2, AT_FDCWD, Victim(), AT_FDCWD, other, RENAME_EXCHANGE) != 0) return 0;
  return DO5(SYS_renameat2, AT_FDCWD, Victim(), AT_FDCWD, other, RENAME_EXCHANGE) == 0;
}

const struct Way kFileWays[] = {WAY(SecretByOpenat2),
                                WAY(SecretByPathDescriptor),
                                WAY(SecretByOwnRoot),
                                WAY(SecretByAnyRoot),
                                WAY(SecretByWorkingDirectory),
                                WAY(SecretByAnyDescriptor),
                                WAY(SecretByDescriptorsOfOthers),
                                WAY(SecretByLongPath),
                                WAY(SecretBySymlinkChain),
                                WAY(SecretByRenamedParent),
                                WAY(SecretByAio),
                                WAY(SecretSeen),
                                WAY(SecretWatched),
                                WAY(VictimByOpenat2),
                                WAY(VictimByPathReopen),
                                WAY(VictimByReadReopen),
                                WAY(VictimByInputForms),
                                WAY(VictimByInputOfKid),
                                WAY(InputTruncated),
                                WAY(VictimByAio),
                                WAY(VictimBySplice),
                                WAY(VictimByVmsplice),
                                WAY(VictimBySendfile),
                                WAY(VictimByCopyRange),
                                WAY(VictimByFallocate),
                                WAY(VictimByFtruncate),
                                WAY(VictimByVector),
                                WAY(VictimBySharedMap),
                                WAY(InputByMemory, "a hole in the kernel"),
                                WAY(InputByPipePages, "a hole in the kernel"),
                                WAY(InputByCopyOnWriteRace, "a hole in the kernel"),
                                WAY(VictimByExchangeRace),
                                WAY(SecretByMovedDirectory),
                                WAY(VictimByLinkedDescriptor),
                                WAY(InputLinked),
                                WAY(VictimExchanged),
                                {NULL, NULL, NULL}};
