// `guise policy`: what a sandbox's policy means, without running anything.
#include <stdio.h>

#include <memory>
#include <string>
#include <vector>

#include "server/cli/command.h"
#include "server/cli/json.h"
#include "server/cli/sandbox.h"
#include "server/cli/table.h"
#include "server/floor/explain.h"

namespace guise::server {
namespace {

int Check(SandboxFlags flags) {
  flags.looks = true;
  const absl::StatusOr<v1::SandboxPolicy> policy = PolicyOf(flags);
  if (!policy.ok()) return Fail(policy.status());
  printf("The policy can be enforced here.\n");
  return 0;
}

std::string InJson(const std::vector<Enforcement>& lines) {
  JsonWriter json;
  json.BeginObject().Key("lines").BeginArray();
  for (const Enforcement& line : lines) {
    json.BeginObject().Key("line").String(line.line).Key("layer").String(line.layer);
    json.Key("enforced").Bool(line.missing.empty()).Key("missing").String(line.missing).EndObject();
  }
  json.EndArray().EndObject();
  return json.Take();
}

int ExplainAll(SandboxFlags flags, bool as_json) {
  flags.best_effort = true;
  const absl::StatusOr<v1::SandboxPolicy> policy = PolicyOf(flags);
  if (!policy.ok()) return Fail(policy.status());
  const std::vector<Enforcement> lines = Explain(*policy);
  if (as_json) {
    printf("%s", InJson(lines).c_str());
    return 0;
  }
  Table table({"LINE", "ENFORCED BY"});
  for (const Enforcement& line : lines) {
    table.Add({line.line, line.missing.empty() ? line.layer : "NOT ENFORCED: " + line.missing});
  }
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
