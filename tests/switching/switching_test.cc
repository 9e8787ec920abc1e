// The personality of a running program is switched under it, two hundred times, and it never sees anything but the one
// or the other, each when it must.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guise.h"
#include "tests/support/json.h"
#include "tests/support/stage.h"
#include "tests/switching/phases.h"

namespace guise::tests {
namespace {

// A hundred; GUISE_TEST_ROUND_TRIPS says otherwise where a switch takes seconds (an emulated machine).
int RoundTrips() {
  const char* given = getenv("GUISE_TEST_ROUND_TRIPS");
  return given == nullptr ? 100 : atoi(given);
}

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
    for (const std::string& word :
         {std::string("--"), guest, std::string("phases"), std::to_string(guise_->account().uid)}) {
      words.push_back(word);
    }
    Command command = guise_->Cli(words);
    command.cwd = directory_;
    command.keep_stdin_open = true;
    command.patience_seconds = 600;
    program_ = Process::Start(command);
    ASSERT_TRUE(program_->AwaitOutput("ready\n")) << program_->Wait();
  }

  void SetPhase(PhaseKind kind) { __atomic_store_n(&phases_->phase, PHASE(++number_, kind), __ATOMIC_RELEASE); }

  // One `guise switch`, in a process of its own.
  bool SwitchTo(const std::string& stack, PhaseKind turning, PhaseKind then) {
    SetPhase(turning);
    const RunResult result = RunToEnd(guise_->Cli({"switch", kName, stack}));
    SetPhase(then);
    EXPECT_TRUE(result.ok()) << result;
    return result.ok() && AwaitSteadyCalls();
  }

  // Each thread makes calls that lie between two switches, however busy the machine is: of two that are noted from now
  // on, the second was begun in this phase.
  bool AwaitSteadyCalls() {
    uint64_t before[kCountingThreads];
    for (int i = 0; i < kCountingThreads; ++i) {
      before[i] = __atomic_load_n(&phases_->threads[i].steady, __ATOMIC_ACQUIRE);
    }
    for (int i = 0; i < kCountingThreads; ++i) {
      const ThreadCounts& thread = phases_->threads[i];
      const auto called = [&] { return __atomic_load_n(&thread.steady, __ATOMIC_ACQUIRE) >= before[i] + 2; };
      if (!Eventually(called)) {
        ADD_FAILURE() << "thread " << i << " makes no calls";
        return false;
      }
    }
    return true;
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

// Two stacks: one under which getuid(2) is the kernel's, and one under which it is fakeroot's.
struct Pair {
  const char* name;
  const char* real;
  const char* fake;
  bool folds;  // some of the calls are other ones under the first stack: answered in the shim
};

class PairTest : public SwitchingTest, public testing::WithParamInterface<Pair> {};

INSTANTIATE_TEST_SUITE_P(All, PairTest,
                         testing::Values(Pair{"linux", "linux", "fakeroot", false},
                                         Pair{"legacy", "legacy:el6", "fakeroot,legacy:el6", true},
                                         Pair{"nosync", "nosync", "fakeroot", false},
                                         Pair{"sandboxed", "sandboxed", "fakeroot,sandboxed", false}),
                         [](const testing::TestParamInfo<Pair>& info) { return std::string(info.param.name); });

TEST_P(PairTest, EveryCallOfEightThreadsReturnsOneOfTheTwoValuesAndTheRightOneBetweenSwitches) {
  Start(GetParam().real);
  ASSERT_FALSE(HasFatalFailure());
  SetPhase(kReal);
  const Calls before = SettledCalls(*guise_);
  program_->Write("g");
  // All but one pair take a part of the time.
  const int round_trips = std::string(GetParam().name) == "linux" ? RoundTrips() : (RoundTrips() + 3) / 4;
  for (int i = 0; i < round_trips; ++i) {
    ASSERT_TRUE(SwitchTo(GetParam().fake, kTurningFake, kFake)) << "round trip " << i;
    ASSERT_TRUE(SwitchTo(GetParam().real, kTurningReal, kReal)) << "round trip " << i;
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
  for (const ThreadCounts& thread : phases_->threads) {
    EXPECT_EQ(thread.failed, 0u);
    EXPECT_EQ(thread.strange, 0u);
    EXPECT_EQ(thread.stale, 0u) << "calls between two switches that got the old value, of " << thread.steady;
    EXPECT_EQ(thread.back, 0u) << "calls that got the old value after the thread had seen the new one";
    EXPECT_GT(thread.steady, 0u);
    EXPECT_GT(thread.real, 0u);
    EXPECT_GT(thread.fake, 0u);
    real += static_cast<int64_t>(thread.real);
    fake += static_cast<int64_t>(thread.fake);
  }
  EXPECT_EQ(after.epoch - before.epoch, 2 * round_trips);
  EXPECT_EQ(after.all() - before.all(), real + fake + kCallsBesides)
      << "all calls, as Guise and the program count them";
  // The first stack does not claim the calls: what it answered was answered by the kernel. The first epoch is odd, and
  // its; each switch makes one more.
  if (!GetParam().folds) {
    EXPECT_EQ(after.kernel - before.kernel, real + kCallsBesides);
    EXPECT_EQ(after.shim + after.server - before.shim - before.server, fake);
  }
  const bool linux_is_odd = before.epoch % 2 == 1;
  const int64_t in_linux = linux_is_odd ? after.odd - before.odd : after.even - before.even;
  const int64_t in_fakeroot = linux_is_odd ? after.even - before.even : after.odd - before.odd;
  // The main thread's two may come after the first switch, on a machine that is out of breath.
  constexpr int64_t kOfMain = kCallsBesides - kCountingThreads;
  EXPECT_GE(in_fakeroot, fake);
  EXPECT_LE(in_fakeroot, fake + kOfMain);
  EXPECT_EQ(in_linux + in_fakeroot, real + fake + kCallsBesides);
}

TEST_F(SwitchingTest, MovingACallBetweenPlacementsChangesNoResult) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  SetPhase(kReal);
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
