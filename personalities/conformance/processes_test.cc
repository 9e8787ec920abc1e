// What every personality must hold of whole processes, with the shim and a server: fork, exec, threads and signals work
// under it, programs join a session and leave it, and whatever it does not speak of is what Linux says.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "personalities/api/claims.h"
#include "personalities/api/personality.h"
#include "personalities/fakeroot/fakeroot.h"
#include "personalities/legacy/legacy.h"
#include "personalities/linux/linux.h"
#include "personalities/sandboxed/sandboxed.h"
#include "proto/syscall/names.h"
#include "tests/support/guise.h"
#include "tests/support/json.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using personalities::Fakeroot;
using personalities::Legacy;
using personalities::Linux;
using personalities::Sandboxed;

struct Case {
  Way way;
  Account account;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.way.name << " as " << c.account.name; }

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Way& way : PersonalityWays()) {
    for (const Account& account : Accounts()) cases.push_back({way, account});
  }
  return cases;
}

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  return info.param.way.name + "_" + info.param.account.name;
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Without the one thing that `guise run` may have to say of a program of Debian's.
std::string Complaints(const std::string& err) {
  std::string left;
  std::istringstream lines(err);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("a program is told of Linux 3.2.0, not ") == std::string::npos) left += line + "\n";
  }
  return left;
}

class ProcessesTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = &Guise::Shared(GetParam().account);
    directory_ = Stage::Get().MakeDirectory(GetParam().account, "conformance");
    if (!GetParam().way.sandboxed) return;
    const RunResult probe = Run({"true"});
    if (probe.exit_code == 125 && probe.err.find("namespaces of a sandbox") != std::string::npos) {
      GTEST_SKIP() << "no namespaces here: " << probe.err;
    }
  }
  void TearDown() override { RemoveTree(directory_); }

  Command In(const Way& way, const std::vector<std::string>& argv) const {
    Command command = guise_->In(way, argv);
    command.cwd = directory_;
    return command;
  }
  RunResult Run(const std::vector<std::string>& argv) const { return RunToEnd(In(GetParam().way, argv)); }

  Guise* guise_ = nullptr;
  std::string directory_;
};

// --- Guests of tests/guests, which pass natively: guests_test.

using GuestTest = ProcessesTest;

TEST_P(GuestTest, ForksExecsThreadsSignalsAndErrorsAreLinuxs) {
  int guests = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Runfile("tests/guests"))) {
    const std::string name = entry.path().filename().string();
    if (!EndsWith(name, ".elf")) continue;
    SCOPED_TRACE(name);
    ++guests;
    const std::string guest = Stage::Get().Guest("tests/guests/" + name);
    Command command = In(Showing(GetParam().way, guest), {guest});
    command.cwd = Stage::Get().MakeDirectory(GetParam().account, "guest");
    command.env.push_back("GUEST_UID=" + std::to_string(GetParam().way.fakeroot ? 0 : GetParam().account.uid));
    const RunResult result = RunToEnd(command);
    RemoveTree(command.cwd);
    EXPECT_EQ(result.exit_code, 0) << result;
    EXPECT_TRUE(EndsWith(result.out, "pass\n")) << result;
    EXPECT_EQ(Complaints(result.err), "") << "a guest that passes has nothing to complain about";
  }
  EXPECT_GT(guests, 20);
}

INSTANTIATE_TEST_SUITE_P(All, GuestTest, testing::ValuesIn(Cases()), NameOf);

// --- Programs that join a session and leave it, and stacks that are put on and taken off.

class AttachTest : public ProcessesTest {
 protected:
  // What tells stacks apart, said by processes that are made for it.
  static constexpr char kAsk[] = "id -u; uname -r; stat -c %u .";

  std::unique_ptr<Process> Start(const Way& way, const std::string& script) const {
    Way named = way;
    named.options.insert(named.options.end(), {"--name", kName});
    return Open(In(named, {"sh", "-c", script}));
  }

  std::unique_ptr<Process> Join(const std::string& script) const {
    return Open(guise_->Cli({"exec", kName, "--", "sh", "-c", script}));
  }

  // The session as `guise ps` tells of it; a null value: there is none.
  Json Session() const {
    const std::optional<Json> json = ParseJson(RunToEnd(guise_->Cli({"ps", "--json"})).out);
    if (json.has_value()) {
      for (const Json& session : (*json)["sessions"].items) {
        if (session["name"].text == kName) return session;
      }
    }
    return Json();
  }

  size_t Guests() const { return Session()["guests"].items.size(); }

  void ExpectEnds(Process& program, const std::string& out) const {
    program.CloseInput();
    const RunResult result = program.Wait();
    EXPECT_EQ(result.out, out) << result;
    EXPECT_EQ(result.exit_code, 0) << result;
    EXPECT_EQ(Complaints(result.err), "");
    EXPECT_TRUE(Eventually([&] { return !Session().Has("name"); })) << "the session is still there";
  }

  static constexpr char kName[] = "conforming";

 private:
  static std::unique_ptr<Process> Open(Command command) {
    command.keep_stdin_open = true;
    return Process::Start(command);
  }
};

INSTANTIATE_TEST_SUITE_P(All, AttachTest, testing::ValuesIn(Cases()), NameOf);

TEST_P(AttachTest, ProgramsJoinTheSessionAndLeaveItAlone) {
  const std::string guest = Stage::Get().Guest("tests/guests/old_calls_dynamic.elf");
  const std::string told = Run({"sh", "-c", kAsk}).out;
  ASSERT_NE(told, "");
  const std::unique_ptr<Process> first =
      Start(Showing(GetParam().way, guest), std::string("echo up; while read x; do ") + kAsk + "; done");
  ASSERT_TRUE(first->AwaitOutput("up\n")) << first->Wait();
  const size_t alone = Guests();

  // One that ends, with children, in the same directory.
  const std::unique_ptr<Process> one = Join(std::string("cd '") + directory_ + "'; " + kAsk + "; exit 4");
  const RunResult left = one->Wait();
  EXPECT_EQ(left.out, told) << left;
  EXPECT_EQ(left.exit_code, 4);

  // One whose calls the layers serve.
  const uid_t uid = GetParam().way.fakeroot ? 0 : GetParam().account.uid;
  const RunResult served =
      Join("cd '" + directory_ + "'; GUEST_UID=" + std::to_string(uid) + " exec '" + guest + "'")->Wait();
  EXPECT_EQ(served.out, "pass\n") << served;

  // Several at once: all are guests, and one of them is killed in the middle of its calls.
  std::vector<std::unique_ptr<Process>> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(Join("echo in; read x; exit 5"));
    EXPECT_TRUE(others.back()->AwaitOutput("in\n")) << others.back()->Wait();
  }
  const std::unique_ptr<Process> killed = Join("echo in; while :; do id -u; stat -c %u .; done > /dev/null");
  EXPECT_TRUE(killed->AwaitOutput("in\n")) << killed->Wait();
  EXPECT_GE(Guests(), alone + others.size() + 1);
  for (const pid_t pid : Descendants(killed->pid())) {
    if (pid != killed->pid()) kill(pid, SIGKILL);
  }
  EXPECT_EQ(killed->Wait().exit_code, 128 + SIGKILL);
  for (const std::unique_ptr<Process>& other : others) {
    other->Write("\n");
    other->CloseInput();
    EXPECT_EQ(other->Wait().exit_code, 5);
  }
  EXPECT_TRUE(Eventually([&] { return Guests() == alone; })) << Guests() << " guests, and not " << alone;

  // The first one has seen nothing of it.
  const Json session = Session();
  EXPECT_EQ(session["heap_frames"].Number(), 0);
  first->Write("\n");
  ExpectEnds(*first, "up\n" + told);
}

TEST_P(AttachTest, TheStackIsPutOnAProgramThatRunsAndTakenOffAgain) {
  const std::string stack = GetParam().way.options[1];
  const Way& floor = GetParam().way.sandboxed ? SandboxedWay() : LinuxWay();
  const std::string bare = RunToEnd(In(floor, {"sh", "-c", kAsk})).out;
  const std::string told = Run({"sh", "-c", kAsk}).out;
  const std::unique_ptr<Process> program =
      Start(floor, std::string("echo up; while read x; do ") + kAsk + "; echo; done");
  ASSERT_TRUE(program->AwaitOutput("up\n")) << program->Wait();
  std::string expected = "up\n";
  for (int i = 0; i < 3; ++i) {
    for (const auto& [layers, answer] : {std::pair(stack, told), std::pair(floor.options[1], bare)}) {
      const RunResult result = RunToEnd(guise_->Cli({"switch", kName, layers}));
      ASSERT_TRUE(result.ok()) << result;
      program->Write("\n");
      ASSERT_TRUE(program->AwaitOutput("\n\n")) << program->Wait();
      expected += answer + "\n";
    }
  }
  ExpectEnds(*program, expected);
}

// --- All calls, with arguments of every kind: tests/kinds.

struct Layer {
  api::Registration registration;
  std::string argument = {};
  // Rows of which it tells something else than Linux does. Of all others it says what Linux says, whether it claims
  // them or not; and of these it says nothing of arguments that Linux refuses.
  std::set<std::string> lies = {};
};

std::vector<Layer> LayersOf(const std::string& stack) {
  static const std::map<std::string, Layer> layers = {
      {"linux", {Linux::Register()}},
      {"sandboxed", {Sandboxed::Register()}},
      {"fakeroot",
       {Fakeroot::Register(),
        "",
        {"getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "setgroups", "setfsuid",
         "setfsgid", "capget", "stat", "lstat", "fstat", "newfstatat", "statx"}}},
      {"legacy:el6", {Legacy::Register(), "el6", {"uname", "_sysctl", "uselib", "lookup_dcookie"}}},
  };
  std::vector<Layer> found;
  std::istringstream names(stack);
  for (std::string name; std::getline(names, name, ',');) found.push_back(layers.at(name));
  return found;
}

// What is not as Linux has it, and known: fakeroot refuses more than 2048 groups before it looks at them.
bool IsKnown(const std::string& call) { return call == "setgroups large 0=8192"; }

std::set<std::string> ClaimedBy(const std::vector<Layer>& layers) {
  std::set<std::string> claimed;
  for (const Layer& layer : layers) {
    api::Claims claims;
    layer.registration.make(layer.argument).value()->Claim(claims);
    for (const api::Claim& claim : claims.all()) claimed.insert(std::string(syscall::Name(claim.nr)));
  }
  return claimed;
}

// All rows but those that wait for the disk, and those that count what others have on this machine.
std::vector<std::string> Rows() {
  static const std::vector<std::string> rows = {
#define COVERED(name, ...) #name,
#define EXCUSED(name, ...)
#include "tests/kinds/recipes.def"
  };
  std::vector<std::string> quick;
  for (const std::string& row : rows) {
    if (row.find("sync") == std::string::npos && row != "listmount" && row != "listns") quick.push_back(row);
  }
  return quick;
}

// "read exact" and what came of it.
using Answers = std::map<std::string, std::string>;

Answers AnswersOf(const std::string& text) {
  Answers answers;
  std::istringstream lines(text);
  // A row that is called in two ways has some scenarios twice.
  for (std::string line; std::getline(lines, line);) {
    answers[line.substr(0, line.find(": "))] += line.substr(line.find(": ") + 2) + "\n";
  }
  return answers;
}

// Each stack is asked of all that it claims and of one in kShare of what it does not: another part than the next one
// is, so that together they are asked of all.
constexpr size_t kShare = 8;

std::set<std::string> RowsFor(const Case& c) {
  const std::vector<Way>& ways = PersonalityWays();
  const auto same = [&](const Way& way) { return way.name == c.way.name; };
  const auto at = static_cast<size_t>(std::find_if(ways.begin(), ways.end(), same) - ways.begin());
  const size_t part = (at + (c.account.uid == 0 ? kShare / 2 : 0)) % kShare;
  const std::set<std::string> claimed = ClaimedBy(LayersOf(c.way.options[1]));
  const std::vector<std::string> all = Rows();
  std::set<std::string> rows;
  for (size_t i = 0; i < all.size(); ++i) {
    if (claimed.count(all[i]) != 0 || i % kShare == part) rows.insert(all[i]);
  }
  return rows;
}

class LinuxsTest : public ProcessesTest {
 protected:
  Answers Ask(const Way& way, const std::set<std::string>& rows) const {
    const std::string guest = Stage::Get().Guest("tests/kinds/kinds_guest");
    std::vector<std::string> argv = {guest};
    if (GetParam().account.uid != 0 || way.sandboxed) argv.emplace_back("harmless");
    argv.insert(argv.end(), rows.begin(), rows.end());
    Command command = In(Showing(way, guest), argv);
    // The same name each time: getcwd(2) shows it.
    command.cwd = Kinds(GetParam().account);
    // Thousands of processes.
    command.patience_seconds = 5 * kPatienceSeconds;
    const RunResult result = RunToEnd(command);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(Complaints(result.err), "");
    return AnswersOf(result.out);
  }

  // What Linux says: natively, or on the floor of a sandbox without a shim.
  const Answers& Oracle() const {
    static std::map<std::pair<bool, uid_t>, Answers> all;
    const bool sandboxed = GetParam().way.sandboxed;
    const auto [place, added] = all.try_emplace({sandboxed, GetParam().account.uid});
    if (!added) return place->second;
    Way floor = SandboxedWay();
    floor.options.emplace_back("--no-shim");
    std::set<std::string> rows;
    for (const Way& way : PersonalityWays()) {
      if (way.sandboxed == sandboxed) rows.merge(RowsFor({way, GetParam().account}));
    }
    return place->second = Ask(sandboxed ? floor : NativeWay(), rows);
  }

 private:
  static const std::string& Kinds(const Account& account) {
    static std::map<uid_t, std::string> directories;
    std::string& directory = directories[account.uid];
    if (directory.empty()) directory = Stage::Get().MakeDirectory(account, "kinds");
    return directory;
  }
};

INSTANTIATE_TEST_SUITE_P(All, LinuxsTest, testing::ValuesIn(Cases()), NameOf);

TEST_P(LinuxsTest, UnclaimedCallsAreNativeAndErrorsAreLinuxs) {
  const std::vector<Layer> layers = LayersOf(GetParam().way.options[1]);
  const std::set<std::string> claimed = ClaimedBy(layers);
  std::set<std::string> lies;
  for (const Layer& layer : layers) lies.insert(layer.lies.begin(), layer.lies.end());
  EXPECT_TRUE(std::includes(claimed.begin(), claimed.end(), lies.begin(), lies.end())) << "nobody lies unclaimed";
  const std::set<std::string> rows = RowsFor(GetParam());
  const Answers& native = Oracle();
  const Answers answers = Ask(GetParam().way, rows);
  EXPECT_GT(answers.size(), 10 * rows.size());
  for (const auto& [call, said] : native) {
    const std::string row = call.substr(0, call.find(' '));
    if (rows.count(row) == 0 || IsKnown(call)) continue;
    const auto found = answers.find(call);
    ASSERT_NE(found, answers.end()) << call;
    if (lies.count(row) == 0) {
      EXPECT_EQ(found->second, said) << call;
      continue;
    }
    // That a call is not permitted, or not there, is what they are about.
    const int64_t result = atoll(said.c_str());
    const bool is_error = result < 0 && result >= -4095 && result != -EPERM && result != -ENOSYS;
    if (!is_error) continue;
    EXPECT_EQ(atoll(found->second.c_str()), result) << call;
  }
}

}  // namespace
}  // namespace guise::tests
