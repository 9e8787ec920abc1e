// A signal at every instruction: from the guest's syscall through SIGSYS, gate, stub or reflected call back to the
// guest, each instruction is reached once with a signal waiting, that a plain handler, one on the alternate stack or
// one that jumps out takes, or that kills; or SIGSEGV, sent by somebody. The guest checks what it sees (stepped.c);
// natively first.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/stepping/stepper.h"
#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

// Commands that stepped.c knows.
constexpr uint64_t kEnd = 0;
constexpr uint64_t kSignalled = 1;
constexpr uint64_t kQuiet = 2;

// A place on the way of a call: an instruction, and how often it has been reached by then.
struct Place {
  uint64_t rip = 0;
  int visit = 0;
};

// The way from one mark to the next. An instruction that repeats itself (rep movsb) is one place.
std::vector<Place> Walk(Stepper& stepper) {
  std::vector<Place> way;
  std::map<uint64_t, int> visits;
  uint64_t last = 0;
  do {
    const uint64_t rip = stepper.Registers().rip;
    if (rip != last) way.push_back({rip, ++visits[rip]});
    last = rip;
  } while (stepper.Step() == Stepper::Stop::kStepped);
  return way;
}

// Goes on from the first mark to a place. False: it stands at the next mark instead, for what it waited for was there
// already this time.
bool Reach(Stepper& stepper, const Place& place) {
  int visits = stepper.Registers().rip == place.rip ? 1 : 0;
  stepper.SetBreakpoint(place.rip);
  bool reached = true;
  while (reached && visits < place.visit) {
    reached = stepper.Run() == Stepper::Stop::kBreak;
    ++visits;
  }
  stepper.SetBreakpoint(0);
  return reached;
}

// A program whose stubs lie near its text, and one that is loaded at a fixed address, far from them: its sites have no
// room for all that a stub does, and more goes by the gate.
constexpr const char kNear[] = "static_pie";
constexpr const char kFar[] = "static";

struct Case {
  std::string call;
  std::string mode;
  Way way;
  std::string program = kNear;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.call << " " << c.mode << " " << c.way.name << " " << c.program;
}

// A site that is rewritten on the way would make each way another.
Way AtOnce(Way way) {
  if (!way.native) way.options.insert(way.options.end(), {"--rewrite-after", "1"});
  return way;
}

bool IsOneOf(const std::string& name, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<Case> Cases(const std::vector<std::string>& modes) {
  std::vector<Case> cases;
  for (const char* call :
       {"getppid", "geteuid", "fstat", "write", "bad_write", "mask", "clock", "raise", "fork", "unknown", "access",
        "bad_access", "refused", "lent", "dup2", "dup2_219", "fcntl", "proc_exe"}) {
    for (const std::string& mode : modes) {
      // A fork that is jumped out of leaves a child on the wrong side of the jump, natively too.
      if (std::string(call) == "fork" && mode != "plain") continue;
      // The stack is chosen when a frame is built, which is the same wherever the signal came.
      if (mode == "altstack" && !IsOneOf(call, {"getppid", "write", "raise"})) continue;
      // A way out of each kind: a stub, the gate, a handler, the server.
      if (mode == "fault" && !IsOneOf(call, {"getppid", "geteuid", "mask", "raise", "proc_exe"})) continue;
      // Where the arguments lie in other places.
      if (std::string(call) == "dup2_219") {
        if (mode == "plain") cases.insert(cases.end(), {{call, mode, NativeWay()}, {call, mode, AtOnce(LegacyWay())}});
        continue;
      }
      // What is lent is lent by fakeroot alone.
      if (std::string(call) == "lent") {
        if (mode == "plain")
          cases.insert(cases.end(), {{call, mode, NativeWay()}, {call, mode, AtOnce(FakerootWay())}});
        continue;
      }
      for (const Way& way : Ways()) {
        // Never the server's.
        if (IsOneOf(call, {"fork", "mask"}) && way.name == LinuxAtServerWay().name) continue;
        cases.push_back({call, mode, AtOnce(way)});
      }
      cases.push_back({call, mode, LinuxSudWay()});
      // The way of calls that others stand for.
      if (IsOneOf(call, {"access", "bad_access", "dup2", "proc_exe"})) {
        cases.push_back({call, mode, AtOnce(LegacyWay())});
      }
      // By the gate from everywhere.
      if (mode == "plain" && IsOneOf(call, {"getppid", "access", "refused", "dup2"})) {
        cases.push_back({call, mode, AtOnce(FakerootWay()), kFar});
        cases.push_back({call, mode, AtOnce(LegacyWay()), kFar});
      }
      // Of calls that may block, the way through the gate that a signal interrupts.
      if (IsOneOf(call, {"write", "bad_write"})) cases.push_back({call, mode, AtOnce(ThroughWay())});
    }
  }
  return cases;
}

class SteppingTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const Way& way = GetParam().way;
    GUISE_NEEDS(way);
    // Root lacks nothing.
    Guise& guise = Guise::For(way, GetParam().call == "lent" ? OrdinaryUser() : Self());
    const std::string program = Stage::Get().Guest("tests/stepping/stepped_" + GetParam().program + ".elf");
    Command command = guise.In(way, {program, GetParam().call, GetParam().mode});
    command.keep_stdin_open = true;
    guest_ = Process::Start(command);
    ASSERT_TRUE(guest_->AwaitOutput("pid ") && guest_->AwaitOutput("\n")) << guest_->Wait();
    pid_ = std::stoi(guest_->out().substr(4));
  }

  void Seize(Stepper::Children children) {
    stepper_ = Stepper::Seize(pid_, children);
    ASSERT_TRUE(stepper_.has_value()) << "ptrace: " << strerror(errno);
    const pid_t self = getpid();
    guest_->Write(std::string(reinterpret_cast<const char*>(&self), sizeof(self)));
  }

  std::string Where() const {
    std::ostringstream text;
    text << "at instruction " << at_ << " of " << way_.size();
    if (at_ < way_.size()) text << ", 0x" << std::hex << way_[at_].rip;
    return text.str() + ": ";
  }

  void ExpectPass() {
    const RunResult result = guest_->Wait();
    EXPECT_EQ(result.exit_code, 0) << Where() << result;
    EXPECT_NE(result.out.find("pass\n"), std::string::npos) << result;
    EXPECT_GT(way_.size(), 2u);
    EXPECT_LT(missed_, way_.size() / 2) << "most of the way is the same each time";
    RecordProperty("instructions", static_cast<int>(way_.size()));
    RecordProperty("missed", static_cast<int>(missed_));
  }

  std::unique_ptr<Process> guest_;
  pid_t pid_ = 0;
  std::optional<Stepper> stepper_;
  std::vector<Place> way_;
  size_t at_ = 0;
  size_t missed_ = 0;
};

TEST_P(SteppingTest, IsLinuxTrueAtEachInstruction) {
  ASSERT_NO_FATAL_FAILURE(Seize(Stepper::Children::kLeft));
  ASSERT_EQ(stepper_->Await(), Stepper::Stop::kMark);
  way_ = Walk(*stepper_);
  if (GetParam().call == "fork") stepper_->KeepTextClean();
  stepper_->SetR10(kQuiet);
  for (at_ = 0; at_ < way_.size(); ++at_) {
    ASSERT_EQ(stepper_->Run(), Stepper::Stop::kMark) << Where();
    const bool reached = Reach(*stepper_, way_[at_]);
    if (reached) {
      stepper_->Send(GetParam().mode == "fault" ? SIGSEGV : SIGUSR1);
      ASSERT_EQ(stepper_->Run(), Stepper::Stop::kMark) << Where();
    } else {
      ++missed_;
    }
    if (!GetParam().way.native) {
      ASSERT_EQ(stepper_->HeldSlots(), 0) << Where();
    }
    stepper_->SetR10(reached ? kSignalled : kQuiet);
  }
  ASSERT_EQ(stepper_->Run(), Stepper::Stop::kMark);
  stepper_->Run();
  stepper_->SetR10(kEnd);
  EXPECT_EQ(stepper_->Run(), Stepper::Stop::kEnded);
  ExpectPass();
}

class KillingTest : public SteppingTest {
 protected:
  // The next of the guest's children, at its first mark.
  void NextChild(std::optional<Stepper>& child) {
    ASSERT_EQ(started_ ? stepper_->Run() : stepper_->Await(), Stepper::Stop::kForked) << Where();
    started_ = true;
    child = Stepper::Adopt(stepper_->child());
    ASSERT_EQ(child->Run(), Stepper::Stop::kMark) << Where();
  }

  bool started_ = false;
};

TEST_P(KillingTest, GivesBackAllAtEachInstruction) {
  ASSERT_NO_FATAL_FAILURE(Seize(Stepper::Children::kTraced));
  std::optional<Stepper> child;
  const auto end = [&] {
    child->Send(SIGKILL);
    while (child->Run() != Stepper::Stop::kEnded) {
    }
  };
  ASSERT_NO_FATAL_FAILURE(NextChild(child));
  way_ = Walk(*child);
  end();
  for (at_ = 0; at_ < way_.size(); ++at_) {
    ASSERT_NO_FATAL_FAILURE(NextChild(child));
    if (!Reach(*child, way_[at_])) ++missed_;
    end();
  }
  if (!GetParam().way.native) {
    EXPECT_TRUE(Eventually([&] { return stepper_->HeldSlots() == 0; })) << "slots of the dead come back";
  }
  // The last one is let go, and the guest then ends.
  ASSERT_NO_FATAL_FAILURE(NextChild(child));
  while (child->Run() != Stepper::Stop::kEnded) {
  }
  EXPECT_EQ(stepper_->Run(), Stepper::Stop::kEnded);
  ExpectPass();
}

constexpr auto kName = [](const testing::TestParamInfo<Case>& info) {
  const std::string name = info.param.call + "_" + info.param.mode + "_" + info.param.way.name;
  return info.param.program == kFar ? name + "_far" : name;
};
INSTANTIATE_TEST_SUITE_P(All, SteppingTest, testing::ValuesIn(Cases({"plain", "altstack", "longjmp", "fault"})), kName);
INSTANTIATE_TEST_SUITE_P(All, KillingTest, testing::ValuesIn(Cases({"kill"})), kName);

}  // namespace
}  // namespace guise::tests
