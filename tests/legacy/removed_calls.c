// Calls that no kernel of today has, as Linux 2.6.32 answered them. Natively they fail: not one of the guests.
#include <sys/utsname.h>

#include "tests/guests/guest.h"
// Behind size_t, which it does not define.
#include <linux/sysctl.h>

#define BAD ((void*)8)

static long Sysctl(int* name, int count, void* old, size_t* size, void* next, size_t next_size) {
  struct __sysctl_args args = {
      .name = name, .nlen = count, .oldval = old, .oldlenp = size, .newval = next, .newlen = next_size};
  return syscall(SYS__sysctl, &args);
}

static void Settings(void) {
  int release[] = {CTL_KERN, KERN_OSRELEASE}, most[] = {CTL_KERN, KERN_NGROUPS_MAX}, none[] = {CTL_KERN, 9999};
  int uuid[] = {CTL_KERN, KERN_RANDOM, RANDOM_UUID}, shared[] = {CTL_KERN, KERN_SHMMAX};
  struct utsname name;
  char text[128];
  size_t size = sizeof(text);
  CHECK(uname(&name) == 0);
  CHECK(Sysctl(release, 2, text, &size, NULL, 0) == 0 && strcmp(text, name.release) == 0 && size == strlen(text));
  // Cut off, with its NUL.
  size = 4;
  memset(text, 'x', sizeof(text));
  CHECK(Sysctl(release, 2, text, &size, NULL, 0) == 0 && size == strlen(name.release));
  CHECK(memcmp(text, name.release, 3) == 0 && text[3] == 0 && text[4] == 'x');
  int groups = 0;
  size = sizeof(groups);
  CHECK(Sysctl(most, 2, &groups, &size, NULL, 0) == 0 && size == sizeof(groups) && groups == 65536);
  size = 2;
  CHECK(Sysctl(most, 2, &groups, &size, NULL, 0) == 0 && size == 2);
  unsigned long bytes = 0;
  size = 100;
  CHECK(Sysctl(shared, 2, &bytes, &size, NULL, 0) == 0 && size == sizeof(bytes) && bytes > 1000000);
  unsigned char one[16] = {0}, other[16] = {0};
  size = sizeof(one);
  CHECK(Sysctl(uuid, 3, one, &size, NULL, 0) == 0 && Sysctl(uuid, 3, other, &size, NULL, 0) == 0 && size == 16);
  CHECK(memcmp(one, other, sizeof(one)) != 0 && one[6] >> 4 == 4);
  CHECK(Sysctl(most, 2, NULL, NULL, NULL, 0) == 0);

  size = sizeof(text);
  FAILS(Sysctl(none, 2, text, &size, NULL, 0), ENOTDIR);
  FAILS(Sysctl(release, 1, text, &size, NULL, 0), ENOTDIR);
  FAILS(Sysctl(release, 0, text, &size, NULL, 0), ENOTDIR);
  FAILS(Sysctl(release, 10, text, &size, NULL, 0), ENOTDIR);
  FAILS(Sysctl(BAD, 2, text, &size, NULL, 0), EFAULT);
  FAILS(Sysctl(release, 2, BAD, &size, NULL, 0), EFAULT);
  FAILS(Sysctl(release, 2, text, NULL, NULL, 0), EFAULT);
  FAILS(Sysctl(release, 2, text, BAD, NULL, 0), EFAULT);
  FAILS(Sysctl(release, 2, text, &size, text, 3), EPERM);
  FAILS(syscall(SYS__sysctl, BAD), EFAULT);
}

static void Libraries(const char* self) {
  FAILS(syscall(SYS_uselib, self), ENOEXEC);
  FAILS(syscall(SYS_uselib, "/none"), ENOENT);
  FAILS(syscall(SYS_uselib, BAD), EFAULT);
  FAILS(syscall(SYS_uselib, "/etc/passwd"), EACCES);
  FAILS(syscall(SYS_uselib, "/"), EINVAL);
}

int main(int argc, char** argv) {
  char cookie[64];
  (void)argc;
  CheckInside();
  Settings();
  Libraries(argv[0]);
  FAILS(syscall(SYS_lookup_dcookie, 1ul, cookie, sizeof(cookie)), geteuid() == 0 ? EINVAL : EPERM);
  FAILS(syscall(SYS_nfsservctl, 0, NULL, NULL), ENOSYS);
  // These never were.
  static const int never[] = {SYS_create_module,   SYS_get_kernel_syms, SYS_query_module,  SYS_getpmsg,
                              SYS_putpmsg,         SYS_afs_syscall,     SYS_tuxcall,       SYS_security,
                              SYS_set_thread_area, SYS_get_thread_area, SYS_epoll_ctl_old, SYS_epoll_wait_old,
                              SYS_vserver};
  for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); ++i) FAILS(syscall(never[i], 0, 0, 0, 0, 0, 0), ENOSYS);
  return Pass();
}
