// `guise ps`, `switch`, `place`, `stop`: what is asked of sessions.
#include <stdio.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/cli/arguments.h"
#include "server/cli/client.h"
#include "server/cli/command.h"
#include "server/cli/json.h"
#include "server/cli/table.h"

namespace guise::server {
namespace {

std::string StateName(v1::SessionState state) {
  switch (state) {
    case v1::SESSION_STATE_STARTING:
      return "starting";
    case v1::SESSION_STATE_RUNNING:
      return "running";
    case v1::SESSION_STATE_ENDED:
      return "ended";
    default:
      return "unknown";
  }
}

std::string PlacementName(v1::Placement placement) {
  switch (placement) {
    case v1::PLACEMENT_KERNEL:
      return "kernel";
    case v1::PLACEMENT_SHIM:
      return "shim";
    case v1::PLACEMENT_SERVER:
      return "server";
    default:
      return "default";
  }
}

void WriteCounts(const char* key, const v1::CallCounts& counts, JsonWriter& json) {
  json.Key(key).BeginObject();
  json.Key("kernel").Number(counts.kernel());
  json.Key("shim").Number(counts.shim());
  json.Key("server").Number(counts.server());
  json.EndObject();
}

// The reasons of SiteCounts, for people and for scripts.
struct Kept {
  const char* name;
  const char* key;
  uint64_t sites;
};
std::vector<Kept> KeptOf(const v1::SiteCounts& sites) {
  return {{"next", "next_instruction", sites.kept_next_instruction()},
          {"page", "page_end", sites.kept_page_end()},
          {"text", "text", sites.kept_text()},
          {"number", "number", sites.kept_number()},
          {"room", "room", sites.kept_room()},
          {"host", "host", sites.kept_host()}};
}

void WriteSites(const v1::SiteCounts& sites, JsonWriter& json) {
  json.Key("sites").BeginObject();
  json.Key("caught_calls").Number(sites.caught_calls());
  json.Key("near").Number(sites.near());
  json.Key("far").Number(sites.far());
  json.Key("stub_bytes").Number(sites.stub_bytes());
  json.Key("known").Number(sites.known());
  json.Key("kept").BeginObject();
  for (const Kept& kept : KeptOf(sites)) json.Key(kept.key).Number(kept.sites);
  json.EndObject().EndObject();
}

std::string KeptText(const v1::SiteCounts& sites) {
  std::vector<std::string> parts;
  for (const Kept& kept : KeptOf(sites)) {
    if (kept.sites != 0) parts.push_back(absl::StrCat(kept.name, ":", kept.sites));
  }
  return parts.empty() ? "-" : absl::StrJoin(parts, " ");
}

void WriteSession(const v1::Session& session, JsonWriter& json) {
  json.BeginObject();
  json.Key("id").String(session.id());
  json.Key("name").String(session.name());
  json.Key("stack").BeginArray();
  for (const std::string& layer : session.stack().layers()) json.String(layer);
  json.EndArray();
  json.Key("epoch").Number(session.epoch());
  json.Key("state").String(StateName(session.state()));
  json.Key("owner_uid").Number(session.owner_uid());
  json.Key("created_unix_nanos").Number(session.created_unix_nanos());
  json.Key("guests").BeginArray();
  for (const v1::Guest& guest : session.guests()) {
    json.BeginObject().Key("pid").Number(guest.pid()).Key("comm").String(guest.comm()).EndObject();
  }
  json.EndArray();
  WriteCounts("calls", session.calls(), json);
  WriteCounts("calls_even", session.calls_even(), json);
  WriteCounts("calls_odd", session.calls_odd(), json);
  json.Key("overrides").BeginArray();
  for (const v1::PlacementOverride& place : session.overrides()) {
    json.BeginObject().Key("syscall").String(place.syscall());
    json.Key("placement").String(PlacementName(place.placement())).EndObject();
  }
  json.EndArray();
  json.Key("heap_frames").Number(session.heap_frames());
  json.Key("panics").Number(session.panics());
  WriteSites(session.sites(), json);
  json.EndObject();
}

std::string GuestsText(const v1::Session& session) {
  constexpr int kShown = 3;
  std::vector<std::string> parts;
  for (int i = 0; i < std::min(kShown, session.guests_size()); ++i) {
    parts.push_back(absl::StrCat(session.guests(i).comm(), "(", session.guests(i).pid(), ")"));
  }
  if (session.guests_size() > kShown) parts.push_back(absl::StrCat("+", session.guests_size() - kShown));
  return parts.empty() ? "-" : absl::StrJoin(parts, " ");
}

int Ps(bool as_json, bool wide) {
  v1::ListSessionsResponse sessions;
  absl::StatusOr<Client> client = Client::Connect();
  if (client.ok()) {
    absl::StatusOr<v1::ListSessionsResponse> listed =
        Client::Call(client->sessions(), &v1::Sessions::Stub::List, v1::ListSessionsRequest());
    if (!listed.ok()) return Fail(listed.status());
    sessions = *std::move(listed);
  } else if (!absl::IsUnavailable(client.status())) {  // without a server there are no sessions
    return Fail(client.status());
  }
  if (as_json) {
    JsonWriter json;
    json.BeginObject().Key("sessions").BeginArray();
    for (const v1::Session& session : sessions.sessions()) WriteSession(session, json);
    json.EndArray().EndObject();
    fputs(json.Take().c_str(), stdout);
    return 0;
  }
  std::vector<std::string> head = {"SESSION", "NAME", "STACK", "EPOCH", "STATE", "KERNEL", "SHIM", "SERVER"};
  if (wide) head.insert(head.end(), {"CAUGHT", "NEAR", "FAR", "KNOWN", "STUBS", "KEPT"});
  head.emplace_back("GUESTS");
  Table table(head);
  for (const v1::Session& s : sessions.sessions()) {
    std::vector<std::string> row = {s.id(),
                                    s.name().empty() ? "-" : s.name(),
                                    StackText(s.stack()),
                                    absl::StrCat(s.epoch()),
                                    StateName(s.state()),
                                    absl::StrCat(s.calls().kernel()),
                                    absl::StrCat(s.calls().shim()),
                                    absl::StrCat(s.calls().server())};
    if (wide) {
      row.insert(row.end(), {absl::StrCat(s.sites().caught_calls()), absl::StrCat(s.sites().near()),
                             absl::StrCat(s.sites().far()), absl::StrCat(s.sites().known()),
                             absl::StrCat((s.sites().stub_bytes() + 1023) / 1024, "K"), KeptText(s.sites())});
    }
    row.push_back(GuestsText(s));
    table.Add(row);
  }
  fputs(table.Text().c_str(), stdout);
  return 0;
}

int Switch(const std::string& session, const std::string& stack_text, bool wait) {
  v1::PublishStackRequest request;
  request.set_session(session);
  request.set_wait(wait);
  absl::StatusOr<v1::Stack> stack = ParseStack(stack_text);
  if (!stack.ok()) return Fail(stack.status(), kExitUsage);
  *request.mutable_stack() = *std::move(stack);
  absl::StatusOr<Client> client = Client::Connect();
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<v1::PublishStackResponse> response =
      Client::Call(client->sessions(), &v1::Sessions::Stub::PublishStack, request);
  if (absl::IsDeadlineExceeded(response.status())) {
    return Fail(absl::DeadlineExceededError(
        absl::StrCat("session ", session,
                     ": the stack is published, but calls of earlier epochs still run; --no-wait does not "
                     "wait for them")));
  }
  if (!response.ok()) return Fail(response.status());
  printf("epoch %u\n", response->epoch());
  return 0;
}

int Place(const std::string& session, const std::vector<std::string>& places) {
  v1::PlaceRequest request;
  request.set_session(session);
  for (const std::string& place : places) {
    absl::StatusOr<v1::PlacementOverride> parsed = ParsePlacement(place);
    if (!parsed.ok()) return Fail(parsed.status(), kExitUsage);
    *request.add_overrides() = *std::move(parsed);
  }
  absl::StatusOr<Client> client = Client::Connect();
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<v1::PlaceResponse> response =
      Client::Call(client->sessions(), &v1::Sessions::Stub::Place, request);
  if (!response.ok()) return Fail(response.status());
  printf("epoch %u\n", response->epoch());
  return 0;
}

int Stop(const std::string& session, const std::string& signal, double grace_seconds) {
  const absl::StatusOr<int> number = ParseSignal(signal);
  if (!number.ok()) return Fail(number.status(), kExitUsage);
  v1::StopRequest request;
  request.set_session(session);
  request.set_signal(*number);
  // 0 asks for the server's default, so no grace at all is the shortest there is.
  request.set_grace_millis(std::max(1u, static_cast<uint32_t>(grace_seconds * 1000)));
  absl::StatusOr<Client> client = Client::Connect();
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<v1::StopResponse> response = Client::Call(client->sessions(), &v1::Sessions::Stub::Stop, request,
                                                                 absl::Seconds(grace_seconds) + absl::Seconds(30));
  if (!response.ok()) return Fail(response.status());
  return 0;
}

}  // namespace

void AddPs(CLI::App& app, Invocation& invocation) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* ps = app.add_subcommand("ps", "Lists the sessions that live");
  ps->add_flag("--json", *as_json, "For programs");
  auto wide = std::make_shared<bool>(false);
  ps->add_flag("-w,--wide", *wide, "How calls were caught, too");
  ps->footer(
      "KERNEL, SHIM and SERVER count calls by where they were answered. CAUGHT: calls that took a signal. NEAR, FAR:\n"
      "call sites that were rewritten since, and STUBS the memory for it, added up over processes. KEPT: sites that "
      "were\n"
      "not, by the reason: next (instruction), page (end), text, number, room, host.\n"
      "Examples:\n"
      "  guise ps\n"
      "  guise ps --wide\n"
      "  guise ps --json | jq -r '.sessions[].id'");
  ps->callback([as_json, wide, &invocation] { invocation.act = [as_json, wide] { return Ps(*as_json, *wide); }; });
}

void AddSwitch(CLI::App& app, Invocation& invocation) {
  struct Options {
    std::string session;
    std::string stack;
    bool wait = true;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("switch", "Gives a session another stack while it runs");
  command->add_option("session", options->session, "The session's id or name")->required()->type_name("SESSION");
  command->add_option("stack", options->stack, "Personalities with commas between, or linux")
      ->required()
      ->type_name("STACK");
  command->add_flag(
      "--wait,!--no-wait", options->wait,
      "Returns when no call runs under an earlier stack (the default); calls that block in the kernel are "
      "excepted");
  command->footer(
      "Examples:\n"
      "  guise switch build fakeroot\n"
      "  guise switch --no-wait 5f3a90c1 linux");
  command->callback([options, &invocation] {
    invocation.act = [options] { return Switch(options->session, options->stack, options->wait); };
  });
}

void AddPlace(CLI::App& app, Invocation& invocation) {
  struct Options {
    std::string session;
    std::vector<std::string> places;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("place", "Moves syscalls between kernel, shim and server");
  command->add_option("session", options->session, "The session's id or name")->required()->type_name("SESSION");
  command
      ->add_option("places", options->places, "SYSCALL=kernel|shim|server|default; all=... for all that can be moved")
      ->required()
      ->type_name("SYSCALL=WHERE");
  command->footer(
      "Examples:\n"
      "  guise place build clock_gettime=server\n"
      "  guise place build all=server\n"
      "  guise place build all=default");
  command->callback(
      [options, &invocation] { invocation.act = [options] { return Place(options->session, options->places); }; });
}

void AddStop(CLI::App& app, Invocation& invocation) {
  struct Options {
    std::string session;
    std::string signal = "TERM";
    double grace_seconds = 2;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("stop", "Ends a session and its guests");
  command->add_option("session", options->session, "The session's id or name")->required()->type_name("SESSION");
  command->add_option("-s,--signal", options->signal, "What the guests are sent first")
      ->type_name("SIGNAL")
      ->capture_default_str();
  command->add_option("--grace", options->grace_seconds, "How long they may take before SIGKILL")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  guise stop build\n"
      "  guise stop --signal INT --grace 10 5f3a90c1");
  command->callback([options, &invocation] {
    invocation.act = [options] { return Stop(options->session, options->signal, options->grace_seconds); };
  });
}

}  // namespace guise::server
