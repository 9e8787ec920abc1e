// Question: what does one system call cost, by where it is answered?
//
// Run it natively and under Guise, interleaved, and compare: bench/run does. Each benchmark is one call in a loop;
// --benchmark_repetitions gives the minimum and median.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

bool HasVsyscallPage() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("[vsyscall]") != std::string::npos) return true;
  }
  return false;
}

// A call with a site of its own: one that has been rewritten is for one number. Aligned, so that none lies on two
// pages.
template <long kNr>
[[gnu::noinline, gnu::aligned(64)]] long Call(long a = 0, long b = 0, long c = 0, long d = 0) {
  long result = kNr;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall\n  cmp $-4096, %%rax"
                   : "+a"(result)
                   : "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory", "cc");
  return result;
}

long Word(const void* pointer) { return reinterpret_cast<long>(pointer); }

// Of a place in the text that has made none before: with --rewrite-after 1, what rewriting costs.
void FirstCall(benchmark::State& state) {
  constexpr size_t kSize = size_t{1} << 20;
  constexpr size_t kApart = 64;
  const std::array<uint8_t, 14> site = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0xc3};
  const int file = memfd_create("text", 0);
  std::vector<uint8_t> text(kSize);
  for (size_t at = 0; at < kSize; at += kApart) std::copy(site.begin(), site.end(), text.begin() + at);
  if (file < 0 || write(file, text.data(), kSize) != static_cast<ssize_t>(kSize)) return state.SkipWithError("memfd");
  char* code = nullptr;
  size_t at = kSize;
  for (auto _ : state) {
    if (at == kSize) {
      state.PauseTiming();
      if (code != nullptr) munmap(code, kSize);
      code = static_cast<char*>(mmap(nullptr, kSize, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_POPULATE, file, 0));
      at = 0;
      state.ResumeTiming();
    }
    benchmark::DoNotOptimize(reinterpret_cast<long (*)()>(code + at)());
    at += kApart;
  }
  munmap(code, kSize);
  close(file);
}
BENCHMARK(FirstCall)->Iterations(256);  // more have no room for their stubs

// Claimed by no personality.
void Getppid(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(syscall(SYS_getppid));
}
BENCHMARK(Getppid);

// A constant under fakeroot.
void Getuid(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(syscall(SYS_getuid));
}
BENCHMARK(Getuid);

// An overlay under fakeroot.
void Stat(benchmark::State& state) {
  struct stat status;
  for (auto _ : state) benchmark::DoNotOptimize(fstatat(AT_FDCWD, "/etc/passwd", &status, 0));
}
BENCHMARK(Stat);

// Old calls, which legacy folds into those below them: one that is not looked at, one with fds, those with a path.
void Getpgrp(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Call<SYS_getpgrp>());
}
BENCHMARK(Getpgrp);

void Getpgid(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Call<SYS_getpgid>(0));
}
BENCHMARK(Getpgid);

void Dup2(benchmark::State& state) {
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int other = dup(fd);
  for (auto _ : state) benchmark::DoNotOptimize(Call<SYS_dup2>(fd, other));
}
BENCHMARK(Dup2);

void Dup3(benchmark::State& state) {
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int other = dup(fd);
  for (auto _ : state) benchmark::DoNotOptimize(Call<SYS_dup3>(fd, other, 0));
}
BENCHMARK(Dup3);

void Access(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Call<SYS_access>(Word("/etc/passwd"), R_OK));
}
BENCHMARK(Access);

void Faccessat(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Call<SYS_faccessat>(AT_FDCWD, Word("/etc/passwd"), R_OK));
}
BENCHMARK(Faccessat);

void OldStat(benchmark::State& state) {
  struct stat status;
  for (auto _ : state) benchmark::DoNotOptimize(Call<SYS_stat>(Word("/etc/passwd"), Word(&status)));
}
BENCHMARK(OldStat);

void Newfstatat(benchmark::State& state) {
  struct stat status;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Call<SYS_newfstatat>(AT_FDCWD, Word("/etc/passwd"), Word(&status), 0));
  }
}
BENCHMARK(Newfstatat);

void Open(benchmark::State& state) {
  for (auto _ : state) close(static_cast<int>(Call<SYS_open>(Word("/etc/passwd"), O_RDONLY | O_CLOEXEC)));
}
BENCHMARK(Open);

void Openat(benchmark::State& state) {
  for (auto _ : state) close(static_cast<int>(Call<SYS_openat>(AT_FDCWD, Word("/etc/passwd"), O_RDONLY | O_CLOEXEC)));
}
BENCHMARK(Openat);

// An fd that is looked at in the gate.
void Fcntl(benchmark::State& state) {
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (auto _ : state) benchmark::DoNotOptimize(Call<SYS_fcntl>(fd, F_GETFD));
}
BENCHMARK(Fcntl);

// time(2) of the vsyscall page: from a fault, answered by the kernel, or by the shim where VSYSCALL_PAGE says that the
// page is.
void VsyscallTime(benchmark::State& state) {
  const char* const page = getenv("VSYSCALL_PAGE");
  const uint64_t base = page != nullptr ? strtoull(page, nullptr, 0) : 0xffffffffff600000;
  const auto time = reinterpret_cast<time_t (*)(time_t*)>(base + 0x400);
  if (page == nullptr && !HasVsyscallPage()) return state.SkipWithError("this kernel has no vsyscall page");
  for (auto _ : state) benchmark::DoNotOptimize(time(nullptr));
}
BENCHMARK(VsyscallTime);

void OpenClose(benchmark::State& state) {
  for (auto _ : state) close(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}
BENCHMARK(OpenClose);

// Two calls and a handler. By its number: raise(3) makes two calls more.
void TgkillHandleReturn(benchmark::State& state) {
  std::signal(SIGUSR1, [](int) {});
  const pid_t self = getpid();
  for (auto _ : state) syscall(SYS_tgkill, self, self, SIGUSR1);
}
BENCHMARK(TgkillHandleReturn);

void ForkExitWait(benchmark::State& state) {
  for (auto _ : state) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
  }
}
BENCHMARK(ForkExitWait)->Unit(benchmark::kMicrosecond);

void VforkExitWait(benchmark::State& state) {
  for (auto _ : state) {
    const pid_t child = vfork();
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
  }
}
BENCHMARK(VforkExitWait)->Unit(benchmark::kMicrosecond);

void ThreadCreateJoin(benchmark::State& state) {
  for (auto _ : state) std::thread([] {}).join();
}
BENCHMARK(ThreadCreateJoin)->Unit(benchmark::kMicrosecond);

void VforkExecTrue(benchmark::State& state) {
  for (auto _ : state) {
    const pid_t child = vfork();
    if (child == 0) {
      execl("/bin/true", "true", nullptr);
      _exit(127);
    }
    waitpid(child, nullptr, 0);
  }
}
BENCHMARK(VforkExecTrue)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
