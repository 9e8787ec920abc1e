// Executes a program as a container would: no capability, no_new_privs, a seccomp filter.
//
//   confined docker|no-tracing PROGRAM [ARGUMENT...]
//
//   docker      Docker 25's default profile (docker_profile.h)
//   no-tracing  the same without ptrace, process_vm_readv and process_vm_writev (pidfd_getfd is refused by both)
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <initializer_list>

#include "tests/container/docker_profile.h"

namespace {

using guise::tests::kAllowed;
using guise::tests::kHighestKnown;
using guise::tests::kHighestUnknown;
using guise::tests::kTracing;

// Of clone(2): what makes a namespace.
constexpr scmp_datum_t kNamespaceFlags =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr scmp_datum_t kPersonalities[] = {0x0, 0x0008, 0x20000, 0x20008, 0xffffffff};

bool AllowTable(scmp_filter_ctx filter) {
  for (const auto& range : kAllowed) {
    for (int nr = range.first; nr <= range.last; ++nr) {
      if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0) != 0) return false;
    }
  }
  return true;
}

bool AllowByArgument(scmp_filter_ctx filter) {
  const scmp_arg_cmp no_namespace = SCMP_A0(SCMP_CMP_MASKED_EQ, kNamespaceFlags, 0);
  const scmp_arg_cmp no_vsock = SCMP_A0(SCMP_CMP_NE, AF_VSOCK, 0);
  bool good = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYS_clone, 1, no_namespace) == 0 &&
              seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYS_socket, 1, no_vsock) == 0 &&
              seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SYS_clone3, 0) == 0;
  for (const scmp_datum_t value : kPersonalities) {
    const scmp_arg_cmp equal = SCMP_A0(SCMP_CMP_EQ, value, 0);
    good = good && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYS_personality, 1, equal) == 0;
  }
  return good;
}

bool AnswerUnknown(scmp_filter_ctx filter) {
  for (int nr = kHighestKnown + 1; nr <= kHighestUnknown; ++nr) {
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), nr, 0) != 0) return false;
  }
  return true;
}

bool Load(bool tracing) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool good = AllowTable(filter) && AllowByArgument(filter) && AnswerUnknown(filter);
  for (const int nr : kTracing) good = good && (!tracing || seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0) == 0);
  good = good && seccomp_load(filter) == 0;  // sets no_new_privs, too
  seccomp_release(filter);
  return good;
}

bool DropCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  return syscall(SYS_capset, &header, none) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || (strcmp(argv[1], "docker") != 0 && strcmp(argv[1], "no-tracing") != 0)) {
    fprintf(stderr, "usage: confined docker|no-tracing PROGRAM [ARGUMENT...]\n");
    return 125;
  }
  if (!DropCapabilities() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !Load(strcmp(argv[1], "docker") == 0)) {
    perror("confined");
    return 125;
  }
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 127;
}
