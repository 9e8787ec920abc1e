// A number that is not open is none wherever a call may find it: in an argument that is an fd for one command only, in
// memory, or beside a path that needs no directory. All such numbers are alike.
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <linux/kcmp.h>
#include <sys/ioctl.h>

#include "tests/guests/guest.h"

enum { kDupfdQuery = 1024 + 3, kPidfdGetfd = 438, kPidfdOpen = 434, kLandlockCreate = 444, kLandlockAdd = 445 };

static int file;
static int pidfd;
static int ruleset;
static aio_context_t ring;
static char bytes[64];

static struct iocb Reading(int fd) {
  return (struct iocb){
      .aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_buf = (uint64_t)bytes, .aio_nbytes = 8};
}

static long Query(int fd) { return fcntl(file, kDupfdQuery, fd); }
static long QueryOf(int fd) { return fcntl(fd, kDupfdQuery, file); }
static long Clone(int fd) { return ioctl(file, FICLONE, (long)fd | 1L << 32); }
static long CloneRange(int fd) {
  struct file_clone_range range = {.src_fd = fd};
  return ioctl(file, FICLONERANGE, &range);
}
static long Dedupe(int fd) {
  char room[sizeof(struct file_dedupe_range) + 2 * sizeof(struct file_dedupe_range_info)] = {0};
  struct file_dedupe_range* const range = (struct file_dedupe_range*)room;
  range->src_length = 4096;
  range->dest_count = 2;
  range->info[0].dest_fd = file;
  range->info[1].dest_fd = fd;
  const long result = ioctl(file, FIDEDUPERANGE, range);
  CHECK(range->info[1].dest_fd == fd);
  return result == 0 ? range->info[1].status : result;
}
static long Submit(int fd) {
  struct iocb block = Reading(fd);
  struct iocb* blocks[] = {&block};
  return syscall(SYS_io_submit, ring, 1, blocks);
}
static long SubmitSecond(int fd) {
  struct iocb first = Reading(file);
  struct iocb second = Reading(fd);
  struct iocb* blocks[] = {&first, &second};
  const long submitted = syscall(SYS_io_submit, ring, 2, blocks);
  struct io_event events[2];
  for (long i = 0; i < submitted; ++i) CHECK(syscall(SYS_io_getevents, ring, 1, 1, events, NULL) == 1);
  return submitted;
}
static long Notify(int fd) {
  struct iocb block = Reading(file);
  block.aio_flags = IOCB_FLAG_RESFD;
  block.aio_resfd = (uint32_t)fd;
  struct iocb* blocks[] = {&block};
  return syscall(SYS_io_submit, ring, 1, blocks);
}
static long Fetch(int fd) { return syscall(kPidfdGetfd, pidfd, fd, 0); }
static long Compare(int fd) { return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, file); }
static long CompareSecond(int fd) { return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, file, fd); }
static long AddRule(int fd) {
  const struct {
    uint64_t access;
    int32_t parent;
  } __attribute__((packed)) rule = {1, fd};
  return syscall(kLandlockAdd, ruleset, 1, &rule, 0);
}
static long OpenAt(int fd) { return close(openat(fd, "/dev/null", O_RDONLY)); }
static long DuplicateToItself(int fd) { return syscall(SYS_dup3, fd, fd, 0); }
static long DuplicateBadly(int fd) { return syscall(SYS_dup3, fd, 0, 7); }

typedef long (*Use)(int);
static const struct {
  const char* name;
  Use use;
} uses[] = {{"F_DUPFD_QUERY", Query},
            {"F_DUPFD_QUERY of it", QueryOf},
            {"FICLONE", Clone},
            {"FICLONERANGE", CloneRange},
            {"FIDEDUPERANGE", Dedupe},
            {"io_submit", Submit},
            {"io_submit, second", SubmitSecond},
            {"io_submit, resfd", Notify},
            {"pidfd_getfd", Fetch},
            {"kcmp", Compare},
            {"kcmp, second", CompareSecond},
            {"landlock_add_rule", AddRule},
            {"openat, absolute", OpenAt},
            {"dup3, same", DuplicateToItself},
            {"dup3, bad flags", DuplicateBadly}};

static long Result(Use use, int fd) {
  errno = 0;
  const long result = use(fd);
  return result == -1 ? -errno : result;
}

int main(void) {
  CHECK(syscall(SYS_close_range, 3, -1, 0) == 0);
  file = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  CHECK(file >= 0 && ftruncate(file, 8192) == 0);
  pidfd = (int)syscall(kPidfdOpen, getpid(), 0);
  const uint64_t handled = 1;
  ruleset = (int)syscall(kLandlockCreate, &handled, sizeof(handled), 0);
  syscall(SYS_io_setup, 4, &ring);
  enum { kFirst = 16, kLast = 400 };
  for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); ++i) {
    const long expected = Result(uses[i].use, 1 << 30);
    for (int fd = kFirst; fd <= kLast; ++fd) {
      const long result = Result(uses[i].use, fd);
      if (result != expected) {
        fprintf(stderr, "%s of %d gave %ld instead of %ld\n", uses[i].name, fd, result, expected);
        return 1;
      }
    }
  }
  CHECK(Result(OpenAt, kLast) == 0);
  return Pass();
}
