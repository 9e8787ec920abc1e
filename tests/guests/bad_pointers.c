// A pointer that the kernel would refuse gives EFAULT, whoever answers the call; the guest goes on.
#include <sys/mman.h>
#include <sys/uio.h>

#include "tests/guests/guest.h"

static void* const kBad[] = {(void*)1,  (void*)0x7ffffffff000, (void*)0x8000000000000000, (void*)0xffffffffff600000 + 8,
                             (void*)-1, (void*)-4096};

int main(void) {
  struct stat status;
  int fds[2];
  CHECK(pipe(fds) == 0);
  for (unsigned i = 0; i < sizeof(kBad) / sizeof(kBad[0]); ++i) {
    void* const bad = kBad[i];
    FAILS(syscall(SYS_open, bad, O_RDONLY), EFAULT);
    FAILS(syscall(SYS_stat, "/", bad), EFAULT);
    FAILS(syscall(SYS_newfstatat, AT_FDCWD, "/", bad, 0), EFAULT);
    FAILS(syscall(SYS_fstat, 1, bad), EFAULT);
    FAILS(syscall(SYS_pipe, bad), EFAULT);
    FAILS(syscall(SYS_uname, bad), EFAULT);
    FAILS(syscall(SYS_getcwd, bad, 4096), EFAULT);
    FAILS(syscall(SYS_clock_gettime, 0, bad), EFAULT);
    FAILS(syscall(SYS_getresuid, bad, bad, bad), EFAULT);
    FAILS(syscall(SYS_rt_sigaction, SIGUSR1, NULL, bad, 8), EFAULT);
    FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, bad, 8), EFAULT);
    FAILS(syscall(SYS_sigaltstack, NULL, bad), EFAULT);
    FAILS(syscall(SYS_readlink, "/proc/self/exe", bad, 100), EFAULT);
    FAILS(syscall(SYS_writev, fds[1], bad, 1), EFAULT);
    FAILS(syscall(SYS_stat, bad, &status), EFAULT);
    FAILS(syscall(SYS_write, fds[1], bad, 8), EFAULT);
    FAILS(syscall(SYS_chown, bad, 0, 0), EFAULT);
    FAILS(syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8), EFAULT);
    FAILS(syscall(SYS_execve, bad, NULL, NULL), EFAULT);
  }
  FAILS(syscall(SYS_stat, NULL, &status), EFAULT);
  FAILS(syscall(SYS_execve, "/bin/true", (void*)1, NULL), EFAULT);
  // A path that ends with its page is fine; one whose end is not there is not.
  char* page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(munmap(page + 4096, 4096) == 0);
  memcpy(page + 4094, "/", 2);
  CHECK(syscall(SYS_stat, page + 4094, &status) == 0);
  page[4095] = 'x';
  FAILS(syscall(SYS_stat, page + 4094, &status), EFAULT);
  FAILS(syscall(SYS_stat, "/", page + 4096 - 16), EFAULT);
  return Pass();
}
