#include "tests/sandbox/escape.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "tests/support/stage.h"

namespace guise::tests {

const Suite kKnown = {"escapes", 60, 4, {"PipeTaken", "PipeWritten"}};
const Suite kStrangers = {"strangers", 200, 25, {}};

void AttemptTest::SetUp() {
  SandboxTest::SetUp();
  if (IsSkipped()) return;
  outside_ = std::make_unique<Outside>(*guise_);
  hidden_ = directory_ + "/hidden";
  secret_ = hidden_ + "/secret";
  victim_ = directory_ + "/victim";
  pipe_ = directory_ + "/pipe";
  MakeFiles();
  if (GetParam().uid == 0) {
    const std::string null = directory_ + "/null";
    ASSERT_EQ(mknod(null.c_str(), S_IFCHR, makedev(1, 3)), 0);
    ASSERT_EQ(chmod(null.c_str(), 0666), 0);
  }
  for (const Suite* const suite : {&kKnown, &kStrangers}) {
    const std::string guest = std::string("tests/sandbox/").append(suite->guest).append("_static.elf");
    CopyFile(Stage::Get().Guest(guest), GuestOf(*suite), 0755);
    ASSERT_EQ(chown(GuestOf(*suite).c_str(), GetParam().uid, GetParam().gid), 0);
  }
}

std::string AttemptTest::GuestOf(const Suite& suite) const { return directory_ + "/" + suite.guest; }

void AttemptTest::MakeFiles() const {
  RemoveTree(hidden_);
  unlink(victim_.c_str());
  ASSERT_EQ(mkdir(hidden_.c_str(), 0755), 0);
  WriteFile(secret_, "secret", 0644);
  WriteFile(victim_, "victim", 0644);
  unlink(pipe_.c_str());
  ASSERT_EQ(mkfifo(pipe_.c_str(), 0600), 0);
  both_ends_.reset(fopen(pipe_.c_str(), "r+e"));
  ASSERT_TRUE(both_ends_ != nullptr && fputs("secret", both_ends_.get()) >= 0 && fflush(both_ends_.get()) == 0);
  for (const std::string& path : {hidden_, secret_, victim_, pipe_}) {
    ASSERT_EQ(chown(path.c_str(), GetParam().uid, GetParam().gid), 0);
  }
}

std::vector<std::string> AttemptTest::Environment() const {
  return {"SECRET=" + secret_, "HIDDEN=" + hidden_,        "VICTIM=" + victim_,
          "PIPE=" + pipe_,     "PORT=" + outside_->port(), "OUTSIDE=" + std::to_string(outside_->pid())};
}

Command AttemptTest::WithDescriptors(Command command, const std::string& prepare) const {
  std::string line = "trap 'echo the shell outside is hit' USR2; exec 5< '" + secret_ + "'; " + prepare + " || exit;";
  for (const std::string& word : command.argv) line += " '" + word + "'";
  command.argv = {"sh", "-c", line + " < '" + victim_ + "'"};
  return command;
}

Command AttemptTest::Apart(Command command, const std::vector<std::string>& namespaces) const {
  if (GetParam().uid != 0) return command;
  std::vector<std::string> words = {"unshare", "-m", "--propagation", "private"};
  words.insert(words.end(), namespaces.begin(), namespaces.end());
  words.insert(words.end(), {"sh", "-c", "mount --bind \"$0\" /dev/null && exec \"$@\"", directory_ + "/null"});
  command.argv.insert(command.argv.begin(), words.begin(), words.end());
  return command;
}

Outcomes AttemptTest::OutcomesOf(const RunResult& result) {
  Outcomes outcomes;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, outcome, more;
    if (words >> name >> outcome && !(words >> more)) outcomes[name] = outcome;
  }
  // Who is hit says so itself.
  if (result.out.find("is hit") != std::string::npos) outcomes["KillGroup"] = "out";
  return outcomes;
}

std::map<std::string, std::vector<std::string>> AttemptTest::Needs(const Suite& suite) const {
  std::map<std::string, std::vector<std::string>> needs;
  std::istringstream lines(RunToEnd(guise_->In(NativeWay(), {GuestOf(suite), "--list"})).out);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    std::vector<std::string>& words = needs[line.substr(0, colon)];
    for (size_t at = colon + 2, end; at < line.size(); at = end + 2) {
      end = std::min(line.find("; ", at), line.size());
      words.push_back(line.substr(at, end - at));
    }
  }
  return needs;
}

}  // namespace guise::tests
