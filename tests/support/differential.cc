#include "tests/support/differential.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "tests/support/stage.h"

namespace guise::tests {
namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  if (!text.empty() && text.back() != '\n') lines.back() += "(no newline at the end)";
  return lines;
}

void CompareText(const std::string& what, const std::string& first_text, const std::string& second_text,
                 const std::string& actual_text, std::vector<std::string>& found) {
  const std::vector<std::string> first = Lines(first_text);
  const std::vector<std::string> second = Lines(second_text);
  const std::vector<std::string> actual = Lines(actual_text);
  if (first.size() != second.size()) {
    found.push_back(what + ": two native runs differ in their number of lines:\n" + first_text + "---\n" + second_text);
    return;
  }
  if (actual.size() != first.size()) {
    found.push_back(what + ": " + std::to_string(first.size()) + " lines natively, here " +
                    std::to_string(actual.size()) + "; natively:\n" + first_text + "--- here:\n" + actual_text + "---");
    return;
  }
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i] != second[i] || first[i] == actual[i]) continue;
    found.push_back(what + " line " + std::to_string(i + 1) + ": \"" + first[i] + "\"; here: \"" + actual[i] + "\"");
  }
}

std::string EndOf(const RunResult& result) {
  if (result.timed_out) return "stuck:\n" + result.stuck;
  if (result.signal != 0) return "signal " + std::to_string(result.signal);
  return "exit code " + std::to_string(result.exit_code);
}

}  // namespace

Differential Script(std::string name, std::string script, std::vector<std::string> needs, std::string setup) {
  Differential differential;
  differential.name = std::move(name);
  differential.argv = {"bash", "-c", std::move(script)};
  differential.needs = std::move(needs);
  differential.setup = std::move(setup);
  return differential;
}

Observation Observe(const Differential& differential, Guise& guise, const Way& way) {
  const std::string directory = guise.home() + "/work";
  RemoveTree(directory);
  Command prepare = guise.In(NativeWay(), {"sh", "-ec", "mkdir work; cd work; " + differential.setup});
  const RunResult prepared = RunToEnd(prepare);
  if (!prepared.ok()) return Observation{prepared, {}};
  Command command = guise.In(way, differential.argv);
  command.cwd = directory;
  command.input = differential.input;
  Observation observation;
  observation.result = RunToEnd(command);
  observation.tree = Snapshot(directory);
  RemoveTree(directory);
  return observation;
}

std::vector<std::string> Compare(const Observation& first, const Observation& second, const Observation& actual) {
  std::vector<std::string> found;
  if (EndOf(first.result) != EndOf(second.result)) {
    found.push_back("two native runs ended differently: " + EndOf(first.result) + "; " + EndOf(second.result));
  }
  if (EndOf(first.result) != EndOf(actual.result)) {
    found.push_back(EndOf(first.result) + " natively; here: " + EndOf(actual.result));
  }
  CompareText("stdout", first.result.out, second.result.out, actual.result.out, found);
  CompareText("stderr", first.result.err, second.result.err, actual.result.err, found);
  const std::vector<std::string> files = DifferencesBeyond(first.tree, second.tree, actual.tree);
  found.insert(found.end(), files.begin(), files.end());
  return found;
}

std::string Missing(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    bool found = false;
    for (const char* directory : {"/usr/local/bin/", "/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"}) {
      found = found || access((directory + name).c_str(), X_OK) == 0;
    }
    if (!found) return name;
  }
  return "";
}

}  // namespace guise::tests
