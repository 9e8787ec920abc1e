// `guise server start|stop|status` and `guise version`: what is asked of the server itself.
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/wire/version.h"
#include "server/cli/client.h"
#include "server/cli/command.h"
#include "server/cli/json.h"
#include "server/launch/server_start.h"
#include "server/reactor/owned_fd.h"
#include "server/reactor/pidfd.h"
#include "server/version.h"

namespace guise::server {
namespace {

// How long a server that was told to end may take.
constexpr int kEndMillis = 10'000;

absl::StatusOr<v1::Version> AskVersion(Client& client) {
  return Client::Call(client.server(), &v1::Server::Stub::GetVersion, v1::GetVersionRequest());
}

int Start(const SignalState& signals, int idle_exit) {
  absl::StatusOr<Client> client = Client::Connect();
  if (client.ok()) {
    const absl::StatusOr<v1::Version> version = AskVersion(*client);
    if (!version.ok()) return Fail(version.status());
    printf("server already runs (pid %d) at %s\n", version->pid(), version->runtime_directory().c_str());
    return 0;
  }
  client = Client::ConnectOrStart(signals, idle_exit);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<v1::Version> version = AskVersion(*client);
  if (!version.ok()) return Fail(version.status());
  printf("server started (pid %d) at %s\n", version->pid(), version->runtime_directory().c_str());
  return 0;
}

int Stop(bool force) {
  absl::StatusOr<Client> client = Client::Connect();
  if (absl::IsUnavailable(client.status())) {
    printf("no server runs\n");
    return 0;
  }
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<v1::Version> version = AskVersion(*client);
  if (!version.ok()) return Fail(version.status());
  const OwnedFd server = OpenPidfd(version->pid());
  v1::ShutdownRequest request;
  request.set_force(force);
  const absl::StatusOr<v1::ShutdownResponse> response =
      Client::Call(client->server(), &v1::Server::Stub::Shutdown, request);
  if (!response.ok()) return Fail(response.status());
  pollfd end = {server.get(), POLLIN, 0};
  if (server && poll(&end, 1, kEndMillis) == 0) {
    return Fail(absl::DeadlineExceededError(
        absl::StrCat("the server (pid ", version->pid(), ") was told to end and has not; its server.log says more")));
  }
  printf("server ended (pid %d)\n", version->pid());
  return 0;
}

int Status(bool as_json) {
  absl::StatusOr<Client> client = Client::Connect();
  if (absl::IsUnavailable(client.status())) {
    if (as_json) {
      fputs(JsonWriter().BeginObject().Key("running").Bool(false).EndObject().Take().c_str(), stdout);
    } else {
      printf("%s\n", std::string(client.status().message()).c_str());
    }
    return kExitFailed;
  }
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<v1::Version> version = AskVersion(*client);
  if (!version.ok()) return Fail(version.status());
  const absl::StatusOr<v1::Features> features =
      Client::Call(client->server(), &v1::Server::Stub::GetFeatures, v1::GetFeaturesRequest());
  if (!features.ok()) return Fail(features.status());
  const absl::StatusOr<v1::ListSessionsResponse> sessions =
      Client::Call(client->sessions(), &v1::Sessions::Stub::List, v1::ListSessionsRequest());
  if (!sessions.ok()) return Fail(sessions.status());
  if (as_json) {
    JsonWriter json;
    json.BeginObject().Key("running").Bool(true);
    json.Key("pid").Number(version->pid());
    json.Key("version").String(version->version());
    json.Key("abi_min").Number(version->abi_min()).Key("abi_max").Number(version->abi_max());
    json.Key("runtime_directory").String(version->runtime_directory());
    json.Key("started_unix_nanos").Number(version->started_unix_nanos());
    json.Key("reactor").String(features->reactor()).Key("waiting").String(features->waiting());
    json.Key("workers").Number(features->workers()).Key("feature_bits").Number(features->feature_bits());
    json.Key("personalities").BeginArray();
    for (const std::string& name : features->personalities()) json.String(name);
    json.EndArray().Key("sessions").Number(sessions->sessions_size()).EndObject();
    fputs(json.Take().c_str(), stdout);
    return 0;
  }
  printf("server         guise %s, pid %d\n", version->version().c_str(), version->pid());
  printf("directory      %s\n", version->runtime_directory().c_str());
  printf("sessions       %d\n", sessions->sessions_size());
  printf("personalities  %s\n", absl::StrJoin(features->personalities(), ", ").c_str());
  printf("reactor        %s\n", features->reactor().c_str());
  printf("waiting        %s, workers: %u\n", features->waiting().c_str(), features->workers());
  return 0;
}

int Version(bool as_json) {
  if (as_json) {
    JsonWriter json;
    json.BeginObject().Key("version").String(kVersion);
    json.Key("abi_min").Number(wire::kAbiMin).Key("abi_max").Number(wire::kAbiMax).EndObject();
    fputs(json.Take().c_str(), stdout);
    return 0;
  }
  printf("%s\n", VersionLine().c_str());
  return 0;
}

}  // namespace

std::string VersionLine() {
  return absl::StrCat("guise ", kVersion, ", data plane ABI ", wire::kAbiMin, " to ", wire::kAbiMax);
}

void AddServer(CLI::App& app, Invocation& invocation) {
  CLI::App* server = app.add_subcommand("server", "Starts, ends or shows your server");
  server->require_subcommand(1);
  server->footer(
      "`guise run` starts a server by itself when none runs; it then ends after a minute without sessions.\n"
      "Examples:\n"
      "  guise server start\n"
      "  guise server status --json\n"
      "  guise server stop --force");

  auto idle_exit = std::make_shared<int>(0);
  CLI::App* start = server->add_subcommand("start", "Starts a server, unless one runs");
  start->add_option("--idle-exit", *idle_exit, "It ends after so long without sessions; 0: never")
      ->type_name("SECONDS")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  start->footer("Examples:\n  guise server start\n  guise server start --idle-exit 600");
  start->callback([idle_exit, &invocation] {
    invocation.act = [idle_exit, &invocation] { return Start(invocation.signals, *idle_exit); };
  });

  auto force = std::make_shared<bool>(false);
  CLI::App* stop = server->add_subcommand("stop", "Ends the server; refused while sessions live");
  stop->add_flag("--force", *force, "Also while sessions live: their guests then follow their sessions' policies");
  stop->footer("Examples:\n  guise server stop\n  guise server stop --force");
  stop->callback([force, &invocation] { invocation.act = [force] { return Stop(*force); }; });

  auto as_json = std::make_shared<bool>(false);
  CLI::App* status = server->add_subcommand("status", "Shows the server; exit code 1 when none runs");
  status->add_flag("--json", *as_json, "For programs");
  status->footer("Examples:\n  guise server status\n  guise server status --json");
  status->callback([as_json, &invocation] { invocation.act = [as_json] { return Status(*as_json); }; });
}

void AddVersion(CLI::App& app, Invocation& invocation) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* version = app.add_subcommand("version", "Shows the version of this `guise`");
  version->add_flag("--json", *as_json, "For programs");
  version->footer("Examples:\n  guise version\n  guise version --json");
  version->callback([as_json, &invocation] { invocation.act = [as_json] { return Version(*as_json); }; });
}

}  // namespace guise::server
