// The stack of a running program is switched under it, a thousand times between each two that it may have, and it never
// sees anything but the one or the other, each when it must.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/control.h"
#include "tests/support/guise.h"
#include "tests/support/json.h"
#include "tests/support/stage.h"
#include "tests/switching/phases.h"

namespace guise::tests {
namespace {

// Of two switches each; GUISE_TEST_ROUND_TRIPS says otherwise where a switch takes seconds (an emulated machine).
int RoundTrips() {
  const char* given = getenv("GUISE_TEST_ROUND_TRIPS");
  return given == nullptr ? 500 : atoi(given);
}

// What a dynamic program of Debian 12 is shown under el6: no older kernel than its libc needs.
constexpr char kOldRelease[] = "3.2.0";

std::string HostsRelease() {
  utsname host = {};
  uname(&host);
  return host.release;
}

// All threads are waited for in one round trip of so many.
constexpr int kRoundTripsOfAll = 25;

constexpr char kName[] = "counted";
// While the threads count, the main thread ends one read, writes, and begins another; each thread begins a read at its
// end. Whether a call that blocks is counted when it begins or when it ends, that makes the same difference.
constexpr int64_t kCallsBesides = 2 + kCountingThreads;

struct Calls {
  int64_t kernel = 0;
  int64_t shim = 0;
  int64_t server = 0;
  int64_t odd = 0;  // epochs' parity; all placements
  int64_t even = 0;
  int64_t epoch = 0;

  int64_t all() const { return kernel + shim + server; }
};

int64_t Sum(const Json& counts) {
  return counts["kernel"].Number() + counts["shim"].Number() + counts["server"].Number();
}

Calls AskCalls(const Guise& guise) {
  const RunResult ps = RunToEnd(guise.Cli({"ps", "--json"}));
  const std::optional<Json> json = ParseJson(ps.out);
  Calls calls;
  if (!json.has_value()) {
    ADD_FAILURE() << ps;
    return calls;
  }
  for (const Json& session : (*json)["sessions"].items) {
    if (session["name"].text != kName) continue;
    const Json& counts = session["calls"];
    calls = {counts["kernel"].Number(), counts["shim"].Number(),    counts["server"].Number(),
             Sum(session["calls_odd"]), Sum(session["calls_even"]), session["epoch"].Number()};
  }
  return calls;
}

// The counts, once no thread makes calls any more: twice the same.
Calls SettledCalls(const Guise& guise) {
  Calls calls = AskCalls(guise);
  Eventually([&] {
    const Calls again = AskCalls(guise);
    const bool settled = again.all() == calls.all();
    calls = again;
    return settled;
  });
  return calls;
}

class SwitchingTest : public testing::Test {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = &Guise::Shared(OrdinaryUser());
    directory_ = Stage::Get().MakeDirectory(guise_->account(), "switching");
    const std::string file = directory_ + "/phases";
    WriteFile(file, std::string(sizeof(Phases), '\0'), 0666);
    const int fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
    phases_ = static_cast<Phases*>(mmap(nullptr, sizeof(Phases), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    close(fd);
    ASSERT_NE(phases_, MAP_FAILED);
    if (guise_->account().uid == 0) GTEST_SKIP() << "root's real and fake ids are the same";
  }

  void Start(const std::string& stack = "linux") {
    const std::string guest = Stage::Get().Guest("tests/switching/counting_dynamic.elf");
    std::vector<std::string> words = {"run", "--personality", stack, "--name", kName};
    if (stack.find("sandboxed") != std::string::npos) {
      for (const std::string& word : {std::string("--rw"), directory_, std::string("--ro"), guest})
        words.push_back(word);
    }
    for (const std::string& word : {std::string("--"), guest, std::string("phases"),
                                    std::to_string(guise_->account().uid), HostsRelease(), std::string(kOldRelease)}) {
      words.push_back(word);
    }
    Command command = guise_->Cli(words);
    command.cwd = directory_;
    command.keep_stdin_open = true;
    command.patience_seconds = 600;
    program_ = Process::Start(command);
    ASSERT_TRUE(program_->AwaitOutput("ready\n")) << program_->Wait();
  }

  // Of the stack that the session has, and the one that it is about to have.
  void SetPhase(Look from, Look to) { __atomic_store_n(&phases_->phase, PHASE(++number_, from, to), __ATOMIC_RELEASE); }

  // Between two switches, until `threads` of the threads have made a whole call.
  bool Rest(Look look, int threads) {
    SetPhase(look, look);
    const timespec patience = {PatienceNanos(kPatienceSeconds) / 1000000000, 0};
    while (true) {
      const uint32_t arrivals = __atomic_load_n(&phases_->arrivals, __ATOMIC_ACQUIRE);
      int seen = 0;
      for (const ThreadCounts& thread : phases_->threads) {
        seen += __atomic_load_n(&thread.seen, __ATOMIC_ACQUIRE) == phases_->phase;
      }
      if (seen >= threads) return true;
      if (syscall(SYS_futex, &phases_->arrivals, FUTEX_WAIT, arrivals, &patience, nullptr, 0) != 0 &&
          errno == ETIMEDOUT) {
        ADD_FAILURE() << seen << " threads make calls, and not " << threads;
        return false;
      }
    }
  }

  void StopCounting() {
    __atomic_store_n(&phases_->stop, 1, __ATOMIC_RELEASE);
    for (const ThreadCounts& thread : phases_->threads) {
      ASSERT_TRUE(Eventually([&] { return __atomic_load_n(&thread.done, __ATOMIC_ACQUIRE) == 1; }));
    }
  }

  Guise* guise_ = nullptr;
  std::string directory_;
  Phases* phases_ = nullptr;
  std::unique_ptr<Process> program_;
  uint64_t number_ = 0;
};

struct Stack {
  const char* name;
  Look look;
  bool folds = false;  // some of the calls are other ones: answered in the shim
};

// In the order of Look where there is one.
constexpr Stack kLinux = {"linux", kHostsOwn};
constexpr Stack kNosync = {"nosync", kHostsOwn};
constexpr Stack kLegacy = {"legacy:el6", kOldKernel, true};
constexpr Stack kFakeroot = {"fakeroot", kFakeIds};
constexpr Stack kFakerootLegacy = {"fakeroot,legacy:el6", Look(kFakeIds | kOldKernel), true};
constexpr Stack kSandboxed = {"sandboxed", kHostsOwn};
constexpr Stack kFakerootSandboxed = {"fakeroot,sandboxed", kFakeIds};
constexpr Stack kLegacySandboxed = {"legacy:el6,sandboxed", kOldKernel, true};

struct Pair {
  Stack first;
  Stack second;
};

std::string NameOf(const Pair& pair) {
  std::string name = std::string(pair.first.name) + "_and_" + pair.second.name;
  for (char& c : name) c = isalnum(c) ? c : '_';
  return name;
}

void PrintTo(const Pair& pair, std::ostream* out) { *out << pair.first.name << " and " << pair.second.name; }

class PairTest : public SwitchingTest, public testing::WithParamInterface<Pair> {};

// Those that a session without the floor of a sandbox may have, and one with it.
INSTANTIATE_TEST_SUITE_P(All, PairTest,
                         testing::Values(Pair{kLinux, kFakeroot}, Pair{kLinux, kLegacy}, Pair{kLinux, kFakerootLegacy},
                                         Pair{kLegacy, kFakeroot}, Pair{kLegacy, kFakerootLegacy},
                                         Pair{kFakeroot, kFakerootLegacy}, Pair{kNosync, kFakeroot},
                                         Pair{kSandboxed, kFakerootSandboxed}, Pair{kSandboxed, kLegacySandboxed},
                                         Pair{kLegacySandboxed, kFakerootSandboxed}),
                         [](const testing::TestParamInfo<Pair>& info) { return NameOf(info.param); });

TEST_P(PairTest, EveryCallOfEightThreadsReturnsOneOfTheTwoValuesAndTheRightOneBetweenSwitches) {
  const Stack first = GetParam().first;
  const Stack second = GetParam().second;
  Start(first.name);
  ASSERT_FALSE(HasFatalFailure());
  Control control(*guise_);
  phases_->looks[0] = first.look;
  phases_->looks[1] = second.look;
  SetPhase(first.look, first.look);
  const Calls before = SettledCalls(*guise_);
  program_->Write("g");
  ASSERT_TRUE(Rest(first.look, kCountingThreads));
  for (int i = 0; i < RoundTrips(); ++i) {
    // To wait for what runs under the stack before, and for all threads, takes as long as they need to come by a
    // processor. So most switches meet calls that have outlived some before.
    const bool all = i % kRoundTripsOfAll == 0;
    for (const auto& [from, to] : {std::pair(first, second), std::pair(second, first)}) {
      SetPhase(from.look, to.look);
      const std::string error = control.Switch(kName, to.name, all);
      ASSERT_EQ(error, "") << to.name << ", round trip " << i;
      ASSERT_TRUE(Rest(to.look, all ? kCountingThreads : 1)) << to.name << ", round trip " << i;
    }
  }
  StopCounting();
  ASSERT_FALSE(HasFatalFailure());
  const Calls after = SettledCalls(*guise_);
  program_->Write("e");
  program_->CloseInput();
  const RunResult result = program_->Wait();
  EXPECT_TRUE(result.ok()) << result;

  int64_t real = 0;
  int64_t fake = 0;
  int64_t wakes = 0;
  int64_t of_first = 0;
  int64_t of_second = 0;
  int64_t unattributed = 0;
  for (const ThreadCounts& thread : phases_->threads) {
    EXPECT_EQ(thread.failed, 0u);
    EXPECT_EQ(thread.strange, 0u);
    EXPECT_EQ(thread.stale, 0u) << "calls that were not told what held all the time, of " << thread.steady;
    EXPECT_EQ(thread.back, 0u) << "calls that got the old value after the thread had seen the new one";
    EXPECT_GT(thread.steady, 0u);
    EXPECT_GT(thread.answered[0], 0u);
    EXPECT_GT(thread.answered[1], 0u);
    real += static_cast<int64_t>(thread.real);
    fake += static_cast<int64_t>(thread.fake);
    wakes += static_cast<int64_t>(thread.wakes);
    of_first += static_cast<int64_t>(thread.answered[0]);
    of_second += static_cast<int64_t>(thread.answered[1]);
    unattributed += static_cast<int64_t>(thread.unattributed);
  }
  EXPECT_EQ(of_first + of_second + unattributed, real + fake);
  const int64_t besides = wakes + kCallsBesides;
  EXPECT_EQ(after.epoch - before.epoch, 2 * RoundTrips());
  EXPECT_EQ(after.all() - before.all(), real + fake + besides) << "all calls, as Guise and the program count them";
  // What is the host's own was answered by the kernel.
  if (!first.folds && !second.folds) {
    EXPECT_EQ(after.kernel - before.kernel, real + besides);
    EXPECT_EQ(after.shim + after.server - before.shim - before.server, fake);
  }
  // Epochs take turns as the two stacks do.
  const bool first_is_odd = before.epoch % 2 == 1;
  const int64_t in_odd = after.odd - before.odd;
  const int64_t in_even = after.even - before.even;
  const int64_t in_second = first_is_odd ? in_even : in_odd;
  EXPECT_GE(in_second, of_second);
  // Those of the main thread may come after the first switch, on a machine that is out of breath.
  EXPECT_LE(in_second, of_second + unattributed + besides - kCountingThreads);
  EXPECT_EQ(in_odd + in_even, real + fake + besides);
}

TEST_F(SwitchingTest, MovingACallBetweenPlacementsChangesNoResult) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  SetPhase(kHostsOwn, kHostsOwn);
  program_->Write("g");
  int64_t at_server = 0;
  for (int i = 0; i < 5; ++i) {
    for (const char* placement : {"server", "kernel"}) {
      const RunResult result = RunToEnd(guise_->Cli({"place", kName, std::string("getuid=") + placement}));
      ASSERT_TRUE(result.ok()) << result;
    }
    at_server = AskCalls(*guise_).server;
  }
  StopCounting();
  ASSERT_FALSE(HasFatalFailure());
  program_->Write("e");
  program_->CloseInput();
  EXPECT_TRUE(program_->Wait().ok());
  EXPECT_GT(at_server, 0);
  for (const ThreadCounts& thread : phases_->threads) {
    EXPECT_EQ(thread.failed + thread.strange + thread.stale + thread.back + thread.fake, 0u);
    EXPECT_GT(thread.real, 0u);
  }
}

}  // namespace
}  // namespace guise::tests
