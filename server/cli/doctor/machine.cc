// CPU, limits and settings.
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <fstream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/wire/handover.h"
#include "server/cli/doctor/probe.h"
#include "server/cli/doctor/probes.h"

namespace guise::server {
namespace {

// ABI: arch/x86/include/uapi/asm/hwcap2.h
constexpr unsigned long kHwcap2Fsgsbase = 1ul << 1;  // NOLINT(google-runtime-int): getauxval's type

constexpr unsigned kLeaf1EcxOsxsave = 1u << 27;
constexpr unsigned kLeaf7EcxRdpid = 1u << 22;

Finding Cpu(std::string name, bool present, std::string without) {
  return {std::move(name), present, present ? "present" : "absent", Severity::kInfo, present ? "" : std::move(without)};
}

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  absl::StripAsciiWhitespace(&line);
  return line;
}

Finding Kernel() {
  utsname kernel = {};
  uname(&kernel);
  const bool fits = std::string(kernel.machine) == "x86_64";
  return {"kernel", fits, absl::StrCat(kernel.sysname, " ", kernel.release, " ", kernel.machine), Severity::kRequired,
          fits ? "" : "Guise runs x86_64 programs on x86_64 kernels"};
}

Finding MmapMinAddr() {
  const std::string value = FirstLine("/proc/sys/vm/mmap_min_addr");
  uint64_t number = 0;
  const bool known = absl::SimpleAtoi(value, &number);
  return {"vm.mmap_min_addr", known, known ? value : "cannot be read", Severity::kInfo,
          known ? "" : "mount /proc to see it; Guise maps nothing low"};
}

Finding Vsyscall() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (!absl::StrContains(line, "[vsyscall]")) continue;
    return {"vsyscall page", true, absl::StrContains(line, "r-xp") ? "emulated, readable" : "execute only",
            Severity::kInfo, ""};
  }
  return {"vsyscall page", false, "none", Severity::kInfo,
          "programs older than 2013 that call through it die natively; --personality legacy:el6 answers them"};
}

Finding OpenFiles() {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  const bool enough = limit.rlim_cur >= wire::kFirstGuardedFd + wire::kGuardedFds;
  return {"open files (ulimit -n)", enough,
          limit.rlim_cur == RLIM_INFINITY ? "unlimited" : absl::StrCat(limit.rlim_cur), Severity::kInfo,
          enough ? "" : "the shim keeps its three fds at the limit's end instead of at 224"};
}

}  // namespace

std::vector<Finding> ProbeMachine() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  const bool xsave = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kLeaf1EcxOsxsave) != 0;
  const bool rdpid = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kLeaf7EcxRdpid) != 0;
  const bool fsgsbase = (getauxval(AT_HWCAP2) & kHwcap2Fsgsbase) != 0;
  return {Kernel(),
          Cpu("FSGSBASE", fsgsbase,
              "not needed: a new thread costs one system call more, and `--kernel generic` keeps arch_prctl"),
          Cpu("rdpid", rdpid, "not needed: the shim asks a segment limit for its CPU"),
          Cpu("xsave", xsave, "signal frames are the old 512 bytes; works as well"),
          MmapMinAddr(),
          Vsyscall(),
          OpenFiles()};
}

}  // namespace guise::server
