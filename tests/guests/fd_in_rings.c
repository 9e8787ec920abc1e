// A number that is not open is none for io_uring_register(2) either, in each list and structure that it takes.
#include <linux/io_uring.h>

#include "tests/guests/guest.h"

enum { kSetup = 425, kRegister = 427, kCloneBuffers = 30, kSendMessage = 31, kFirst = 16, kLast = 400 };

static int ring, other;
static int none[2] = {-1, -1};

static long Do(int on, unsigned command, const void* what, unsigned count) {
  errno = 0;
  const long result = syscall(kRegister, on, command, what, count);
  return result == -1 ? -errno : result;
}

static long Files(int fd) {
  int fds[] = {-1, fd};
  const long result = Do(ring, IORING_REGISTER_FILES, fds, 2);
  CHECK(fds[0] == -1 && fds[1] == fd);
  return result;
}
static long Tagged(int fd) {
  const int fds[] = {-1, fd};
  const struct io_uring_rsrc_register list = {.nr = 2, .data = (uintptr_t)fds};
  return Do(ring, IORING_REGISTER_FILES2, &list, sizeof(list));
}
static long Update(int fd) {
  const int fds[] = {-1, fd};
  const struct io_uring_files_update update = {.fds = (uintptr_t)fds};
  return Do(other, IORING_REGISTER_FILES_UPDATE, &update, 2);
}
static long UpdateFirst(int fd) {
  const struct io_uring_rsrc_update2 update = {.data = (uintptr_t)&fd, .nr = 1};
  return Do(other, IORING_REGISTER_FILES_UPDATE2, &update, sizeof(update));
}
static long Ring(int fd) {
  const struct io_uring_rsrc_update update = {.offset = -1U, .data = (uint64_t)fd};
  return Do(ring, IORING_REGISTER_RING_FDS, &update, 1);
}
static long Event(int fd) { return Do(ring, IORING_REGISTER_EVENTFD, &fd, 1); }
static long AsyncEvent(int fd) { return Do(ring, IORING_REGISTER_EVENTFD_ASYNC, &fd, 1); }
static long Cancel(int fd) {
  struct io_uring_sync_cancel_reg cancel = {.fd = fd, .flags = 2 /* IORING_ASYNC_CANCEL_FD */};
  cancel.timeout.tv_sec = cancel.timeout.tv_nsec = -1;
  return Do(ring, IORING_REGISTER_SYNC_CANCEL, &cancel, 1);
}
static long Buffers(int fd) {
  const uint32_t clone[8] = {(uint32_t)fd};
  return Do(ring, kCloneBuffers, clone, 1);
}
static long Message(int fd) {
  const struct io_uring_sqe message = {.opcode = 40 /* IORING_OP_MSG_RING */, .fd = fd};
  return Do(-1, kSendMessage, &message, 1);
}
static long Itself(int fd) { return Do(fd, IORING_UNREGISTER_FILES, NULL, 0); }

static const struct {
  const char* name;
  long (*use)(int);
} uses[] = {{"FILES", Files},
            {"FILES2", Tagged},
            {"FILES_UPDATE", Update},
            {"FILES_UPDATE2", UpdateFirst},
            {"RING_FDS", Ring},
            {"EVENTFD", Event},
            {"EVENTFD_ASYNC", AsyncEvent},
            {"SYNC_CANCEL", Cancel},
            {"CLONE_BUFFERS", Buffers},
            {"SEND_MSG_RING", Message},
            {"the ring", Itself}};

int main(void) {
  CHECK(syscall(SYS_close_range, 3, -1, 0) == 0);
  struct io_uring_params first = {0}, second = {0};
  ring = (int)syscall(kSetup, 4, &first);
  other = (int)syscall(kSetup, 4, &second);
  if (ring >= 0) CHECK(Do(other, IORING_REGISTER_FILES, none, 2) == 0);
  for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); ++i) {
    const long expected = uses[i].use(1 << 30);
    for (int fd = kFirst; fd <= kLast; ++fd) {
      const long result = uses[i].use(fd);
      if (result == expected) continue;
      fprintf(stderr, "%s with %d gave %ld instead of %ld\n", uses[i].name, fd, result, expected);
      return 1;
    }
  }
  return Pass();
}
