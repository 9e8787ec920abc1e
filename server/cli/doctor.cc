// `guise doctor`: what works here, tried and not guessed.
#include <stdio.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/cli/command.h"
#include "server/cli/doctor/probes.h"
#include "server/cli/json.h"
#include "server/cli/table.h"

namespace guise::server {
namespace {

const char* SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kRequired:
      return "required";
    case Severity::kDegraded:
      return "degraded";
    case Severity::kInfo:
      return "info";
    case Severity::kUnneeded:
      break;
  }
  return "none";
}

std::vector<Finding> ProbeAll() {
  std::vector<Finding> all;
  for (const auto probe :
       {ProbeMachine, ProbeInterception, ProbeServing, ProbeFiles, ProbeBoundary, ProbeInstallation, ProbeSurface}) {
    for (Finding& finding : probe()) all.push_back(std::move(finding));
  }
  return all;
}

std::string InJson(const std::vector<Finding>& findings, bool healthy) {
  JsonWriter json;
  json.BeginObject().Key("ok").Bool(healthy).Key("findings").BeginArray();
  for (const Finding& finding : findings) {
    json.BeginObject().Key("name").String(finding.name).Key("present").Bool(finding.present);
    json.Key("state").String(finding.state).Key("severity_if_missing").String(SeverityName(finding.severity));
    json.Key("hint").String(finding.hint).EndObject();
  }
  return json.EndArray().EndObject().Take();
}

std::string ForPeople(const std::vector<Finding>& findings, bool healthy) {
  Table table({"", "FEATURE", "FOUND"});
  Table surface({"", "WITHOUT A SANDBOX", "FOUND"});
  for (const Finding& finding : findings) {
    if (finding.severity == Severity::kUnneeded) {
      surface.Add({finding.present ? "open" : "-", finding.name, finding.state});
      continue;
    }
    table.Add({finding.present ? "ok" : SeverityName(finding.severity), finding.name, finding.state});
    if (!finding.hint.empty()) table.Add({"", "", "-> " + finding.hint});
  }
  return table.Text() + "\n" + surface.Text() + "\n" +
         (healthy ? "Guise works here.\n" : "Guise does not work here: something required is missing.\n");
}

int Doctor(bool as_json) {
  const std::vector<Finding> findings = ProbeAll();
  bool healthy = true;
  for (const Finding& finding : findings) {
    if (!finding.present && finding.severity == Severity::kRequired) healthy = false;
  }
  fputs((as_json ? InJson(findings, healthy) : ForPeople(findings, healthy)).c_str(), stdout);
  return healthy ? 0 : kExitFailed;
}

}  // namespace

void AddDoctor(CLI::App& app, Invocation& invocation) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* doctor = app.add_subcommand("doctor", "Tries what Guise needs of this machine");
  doctor->add_flag("--json", *as_json, "For programs");
  doctor->footer(
      "required: without it no program runs; degraded: something works worse; info: not needed today.\n"
      "WITHOUT A SANDBOX: what a program of yours reaches, of what `--personality sandboxed` closes; nothing needs it\n"
      "(--json: \"severity_if_missing\": \"none\").\n"
      "Exit code: 0, or 1 when something required is missing.\n"
      "Examples:\n"
      "  guise doctor\n"
      "  guise doctor --json | jq '.findings[] | select(.present | not)'");
  doctor->callback([as_json, &invocation] { invocation.act = [as_json] { return Doctor(*as_json); }; });
}

}  // namespace guise::server
