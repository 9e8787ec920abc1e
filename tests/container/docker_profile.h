// What Docker 25's default seccomp profile lets a container do that was given no capability: our own table, by number,
// so that it does not depend on the names that libseccomp knows.
//
// Not here, so refused with EPERM: acct, add_key, bpf, chroot, clock_settime, create_module and its kin, fanotify_init,
// the io_uring family, ioperm, iopl, kcmp, kexec_*, keyctl, lookup_dcookie, mbind and its kin, mount and its kin,
// move_pages, open_by_handle_at, perf_event_open, pidfd_getfd, pivot_root, process_madvise, quotactl, reboot,
// request_key, setdomainname, sethostname, setns, settimeofday, swapon, syslog, umount2, unshare, userfaultfd, ustat,
// vhangup.
// With conditions (confined.cc): clone, clone3, personality, socket. By another argument: ptrace, process_vm_*.
#ifndef GUISE_TESTS_CONTAINER_DOCKER_PROFILE_H_
#define GUISE_TESTS_CONTAINER_DOCKER_PROFILE_H_

namespace guise::tests {

struct NumberRange {
  int first;
  int last;
};

// Allowed whatever the arguments.
inline constexpr NumberRange kAllowed[] = {
    {0, 40},    {42, 55},   {57, 100},  {102, 102}, {104, 133}, {137, 138}, {140, 152}, {154, 154}, {157, 160},
    {162, 162}, {186, 211}, {213, 226}, {228, 235}, {240, 245}, {247, 247}, {251, 255}, {257, 271}, {273, 278},
    {280, 297}, {299, 299}, {301, 303}, {305, 307}, {309, 309}, {314, 319}, {322, 322}, {324, 334}, {424, 424},
    {434, 434}, {436, 437}, {439, 439}, {441, 441}, {444, 449}, {451, 456},
};

// ptrace, process_vm_readv, process_vm_writev: allowed by Docker on kernels from 4.8.
inline constexpr int kTracing[] = {101, 310, 311};

// The profile's highest number (futex_requeue): calls above it are not known to the container's runtime, which makes
// them fail with ENOSYS rather than EPERM.
inline constexpr int kHighestKnown = 456;
inline constexpr int kHighestUnknown = 600;

}  // namespace guise::tests

#endif  // GUISE_TESTS_CONTAINER_DOCKER_PROFILE_H_
