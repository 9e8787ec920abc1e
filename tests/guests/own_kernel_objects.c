// io_uring, userfaultfd, memfd with seals, and sealed mappings, where this kernel gives them: as natively.
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/guests/guest.h"

static void Ring(void) {
  struct io_uring_params params = {0};
  const int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
  if (ring < 0) {
    CHECK(errno == EPERM || errno == ENOSYS);  // switched off here
    return;
  }
  const size_t size = params.sq_off.array + params.sq_entries * 4;
  const size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
  char* sq = mmap(NULL, size > cq_size ? size : cq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  struct io_uring_sqe* sqes =
      mmap(NULL, params.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
  CHECK(sq != MAP_FAILED && sqes != MAP_FAILED && (params.features & IORING_FEAT_SINGLE_MMAP) != 0);
  const int file = open("ring", O_RDWR | O_CREAT, 0600);
  sqes[0] = (struct io_uring_sqe){
      .opcode = IORING_OP_WRITE, .fd = file, .addr = (uintptr_t) "ring", .len = 4, .user_data = 9};
  ((unsigned*)(sq + params.sq_off.array))[0] = 0;
  __atomic_store_n((unsigned*)(sq + params.sq_off.tail), 1, __ATOMIC_RELEASE);
  CHECK(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
  const struct io_uring_cqe* cqe = (const struct io_uring_cqe*)(sq + params.cq_off.cqes);
  CHECK(__atomic_load_n((unsigned*)(sq + params.cq_off.tail), __ATOMIC_ACQUIRE) == 1);
  CHECK(cqe->user_data == 9 && cqe->res == 4);
  char text[4];
  CHECK(pread(file, text, 4, 0) == 4 && memcmp(text, "ring", 4) == 0);
  close(ring);
}

static void Faults(void) {
  const int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
  if (fd < 0) {
    CHECK(errno == EPERM || errno == ENOSYS);
    return;
  }
  struct uffdio_api api = {.api = UFFD_API};
  CHECK(ioctl(fd, UFFDIO_API, &api) == 0);
  char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register range = {.range = {(uintptr_t)page, 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  CHECK(ioctl(fd, UFFDIO_REGISTER, &range) == 0);
  static char source[4096];
  memset(source, 'u', sizeof(source));
  struct uffdio_copy copy = {.dst = (uintptr_t)page, .src = (uintptr_t)source, .len = 4096};
  CHECK(ioctl(fd, UFFDIO_COPY, &copy) == 0 && page[77] == 'u');
  close(fd);
}

int main(void) {
  Ring();
  Faults();
  const int memory = memfd_create("sealed", MFD_ALLOW_SEALING);
  CHECK(memory >= 0 && ftruncate(memory, 4096) == 0);
  CHECK(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE) == 0);
  FAILS(ftruncate(memory, 1), EPERM);
  FAILS(write(memory, "x", 1), EPERM);
  char* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (syscall(462 /* mseal */, page, 4096, 0) == 0) {
    FAILS(munmap(page, 4096), EPERM);
    FAILS(mprotect(page, 4096, PROT_NONE), EPERM);
  } else {
    CHECK(errno == ENOSYS);
  }
  return Pass();
}
