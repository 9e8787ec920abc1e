// `guise policy`: what a sandbox's policy means, without running anything.
#include <stdio.h>

#include <memory>
#include <string>
#include <vector>

#include "server/cli/command.h"
#include "server/cli/json.h"
#include "server/cli/printable.h"
#include "server/cli/sandbox.h"
#include "server/cli/table.h"
#include "server/floor/explain.h"

namespace guise::server {
namespace {

int Check(const SandboxFlags& flags) {
  const absl::StatusOr<ExplainedPolicy> explained = ExplainPolicy(flags);
  if (!explained.ok()) return Fail(explained.status());
  const std::vector<Enforcement>& lines = explained->lines;
  absl::Status status = CheckPossible(explained->policy, explained->host);
  if (status.ok() && !flags.best_effort) status = CheckEnforced(lines);
  if (!status.ok()) return Fail(status);
  const std::string missing = NotEnforced(lines, false);
  if (CheckEnforced(lines).ok()) {
    printf("The policy can be enforced here.\n");
    if (!missing.empty()) printf("Not enforced, and not asked for: %s\n", Printable(missing).c_str());
  } else {
    printf("With --best-effort the policy can be started under here. Not enforced: %s\n", Printable(missing).c_str());
  }
  return 0;
}

// What enforces the line, for people.
std::string LayerOf(const Enforcement& line) {
  if (line.missing.empty()) return line.layer;
  if (line.is_promise) return "NOT ENFORCED: " + line.missing;
  return "nothing here, and nobody asked for it: " + line.missing;
}

std::string InJson(const std::vector<Enforcement>& lines) {
  JsonWriter json;
  json.BeginObject().Key("lines").BeginArray();
  for (const Enforcement& line : lines) {
    json.BeginObject().Key("line").String(line.line).Key("layer").String(line.layer);
    json.Key("enforced").Bool(line.missing.empty()).Key("missing").String(line.missing);
    json.Key("asked").Bool(line.is_promise).EndObject();
  }
  json.EndArray().EndObject();
  return json.Take();
}

int ExplainAll(const SandboxFlags& flags, bool as_json) {
  const absl::StatusOr<ExplainedPolicy> explained = ExplainPolicy(flags);
  if (!explained.ok()) return Fail(explained.status());
  const std::vector<Enforcement>& lines = explained->lines;
  if (as_json) {
    printf("%s", InJson(lines).c_str());
    return 0;
  }
  Table table({"LINE", "ENFORCED BY"});
  for (const Enforcement& line : lines) table.Add({line.line, LayerOf(line)});
  printf("%s", table.Text().c_str());
  return 0;
}

}  // namespace

void AddPolicy(CLI::App& app, Invocation& invocation) {
  CLI::App* policy = app.add_subcommand("policy", "Says what a sandbox's policy means");
  policy->require_subcommand(1);
  constexpr char kPolicyExamples[] =
      "Examples:\n"
      "  guise policy explain --preset build --net loopback\n"
      "  guise policy check --policy build.textproto";
  policy->footer(kPolicyExamples);
  auto flags = std::make_shared<SandboxFlags>();
  auto as_json = std::make_shared<bool>(false);

  CLI::App* check = policy->add_subcommand("check", "Whether the policy can be enforced here");
  AddSandboxFlags(*check, flags);
  check->footer(kPolicyExamples);
  check->callback([flags, &invocation] { invocation.act = [flags] { return Check(*flags); }; });

  CLI::App* explain = policy->add_subcommand("explain", "Which layer enforces each line of the policy here");
  AddSandboxFlags(*explain, flags);
  explain->add_flag("--json", *as_json, "For scripts");
  explain->footer(kPolicyExamples);
  explain->callback(
      [flags, as_json, &invocation] { invocation.act = [flags, as_json] { return ExplainAll(*flags, *as_json); }; });
}

}  // namespace guise::server
