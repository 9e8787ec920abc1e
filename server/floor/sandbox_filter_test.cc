#include "server/floor/sandbox_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>

#include "gtest/gtest.h"
#include "proto/syscall/table.h"

namespace guise::server {
namespace {

using syscall::Nr;

constexpr uint32_t kNoCall = SECCOMP_RET_ERRNO | ENOSYS;

// What the filter of the kind says of the call, by the instructions that seccomp filters have of those of BPF.
uint32_t Answer(unsigned kind, uint32_t nr, uint64_t first = 0) {
  const absl::StatusOr<std::vector<sock_filter>> program = SandboxFilter(GapsOf(kind));
  EXPECT_TRUE(program.ok()) << program.status();
  const seccomp_data call = {static_cast<int>(nr), AUDIT_ARCH_X86_64, 0, {first}};
  uint32_t value = 0;
  for (size_t at = 0; program.ok() && at < program->size(); ++at) {
    const sock_filter& each = (*program)[at];
    bool is_so = false;
    switch (each.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        memcpy(&value, reinterpret_cast<const char*>(&call) + each.k, sizeof(value));
        continue;
      case BPF_ALU | BPF_AND | BPF_K:
        value &= each.k;
        continue;
      case BPF_RET | BPF_K:
        return each.k;
      case BPF_JMP | BPF_JA:
        at += each.k;
        continue;
      case BPF_JMP | BPF_JEQ | BPF_K:
        is_so = value == each.k;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        is_so = value > each.k;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        is_so = value >= each.k;
        break;
      default:
        ADD_FAILURE() << "instruction " << each.code;
        return 0;
    }
    at += is_so ? each.jt : each.jf;
  }
  ADD_FAILURE() << "no end";
  return 0;
}

TEST(SandboxFilterTest, CallsThatAreNewerThanTheTableAreNotThere) {
  uint32_t last = 0;
  for (const syscall::Row& row : syscall::kTable) last = std::max(last, static_cast<uint32_t>(row.nr));
  for (unsigned kind = 0; kind < kFilterKinds; ++kind) {
    for (const uint32_t nr : {last + 1, last + 100, 0x3fffffffu, 0x40000000u, 0xfffffffeu}) {
      EXPECT_EQ(Answer(kind, nr), kNoCall) << kind << " " << nr;
    }
    EXPECT_EQ(Answer(kind, static_cast<uint32_t>(Nr::getpid)), SECCOMP_RET_ALLOW) << kind;
    EXPECT_EQ(Answer(kind, static_cast<uint32_t>(Nr::mount)), SECCOMP_RET_ERRNO | EPERM) << kind;
  }
}

TEST(SandboxFilterTest, APairOfSocketsIsLocal) {
  constexpr auto kPair = static_cast<uint32_t>(Nr::socketpair);
  for (unsigned kind = 0; kind < kFilterKinds; ++kind) {
    EXPECT_EQ(Answer(kind, kPair, AF_UNIX), SECCOMP_RET_ALLOW) << kind;
    for (const uint64_t family : {AF_TIPC, AF_VSOCK, AF_PACKET}) {
      EXPECT_EQ(Answer(kind, kPair, family | 1ull << 32), SECCOMP_RET_ERRNO | EAFNOSUPPORT) << kind << " " << family;
    }
  }
}

}  // namespace
}  // namespace guise::server
