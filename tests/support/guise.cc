#include "tests/support/guise.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <map>

#include "tests/support/stage.h"

namespace guise::tests {

const std::vector<Way>& Ways() {
  static const std::vector<Way> ways = {
      {.name = "native", .native = true},
      {.name = "linux", .options = {"--personality", "linux"}},
      {.name = "linux_at_server", .options = {"--personality", "linux", "--place", "all=server"}},
      {.name = "fakeroot", .options = {"--personality", "fakeroot"}, .fakeroot = true},
  };
  return ways;
}

const Way& NativeWay() { return Ways()[0]; }
const Way& LinuxWay() { return Ways()[1]; }
const Way& LinuxAtServerWay() { return Ways()[2]; }
const Way& FakerootWay() { return Ways()[3]; }

const Way& LinuxRewrittenWay() {
  static const Way way = {.name = "linux_rewritten", .options = {"--personality", "linux", "--rewrite-after", "1"}};
  return way;
}

const Way& LinuxKnownWay() {
  static const Way way = {.name = "linux_known", .options = {"--personality", "linux"}};
  return way;
}

const Way& LinuxSudWay() {
  static const Way way = {.name = "linux_sud", .options = {"--personality", "linux", "--mechanism", "sud"}};
  return way;
}

const Way& LegacyWay() {
  static const Way way = {.name = "legacy", .options = {"--personality", "legacy:modern", "--kernel", "generic"}};
  return way;
}

const Way& SandboxedWay() {
  static const Way way = {.name = "sandboxed",
                          .options = {"--personality", "sandboxed", "--preset", "build", "--net", "loopback"},
                          .sandboxed = true};
  return way;
}

const std::vector<Way>& PersonalityWays() {
  static const std::vector<Way> ways = {
      LinuxWay(),
      {.name = "legacy_el6", .options = {"--personality", "legacy:el6"}},
      FakerootWay(),
      SandboxedWay(),
      {.name = "fakeroot_legacy_el6", .options = {"--personality", "fakeroot,legacy:el6"}, .fakeroot = true},
      {.name = "fakeroot_sandboxed",
       .options = {"--personality", "fakeroot,sandboxed", "--preset", "build", "--net", "loopback"},
       .fakeroot = true,
       .sandboxed = true},
  };
  return ways;
}

Way Showing(Way way, const std::string& path) {
  if (way.sandboxed) way.options.insert(way.options.end(), {"--ro", path.substr(0, path.rfind('/'))});
  return way;
}

const Way& ThroughWay() {
  static const Way way = {.name = "through", .options = {"--personality", "through"}, .through = true};
  return way;
}

Guise::Guise(const Account& account, const std::string& prefix)
    : account_(account),
      prefix_(prefix),
      home_(Stage::Get().MakeDirectory(account, "home of " + account.name)),
      runtime_directory_(home_ + "/run") {}

Guise::~Guise() {
  if (started_) StopServer();
  const pid_t left = ServerPid();
  if (left > 0) kill(left, SIGKILL);
}

Guise& Guise::Shared(const Account& account) { return WithServer(account, Stage::Get().prefix()); }

Guise& Guise::For(const Way& way, const Account& account) {
  if (way.native) return Native(account);
  return WithServer(account, way.through ? Stage::Get().through_prefix() : Stage::Get().prefix());
}

Guise& Guise::WithServer(const Account& account, const std::string& prefix) {
  static std::map<std::pair<std::string, uid_t>, std::unique_ptr<Guise>> shared;
  std::unique_ptr<Guise>& guise = shared[{prefix, account.uid}];
  if (guise == nullptr) {
    guise = std::make_unique<Guise>(account, prefix);
    const RunResult start = guise->StartServer();
    if (!start.ok()) std::cerr << "guise server start: " << start << "\n";
  }
  return *guise;
}

Guise& Guise::Native(const Account& account) {
  Stage::Get();  // made before, so destroyed after
  static std::map<uid_t, std::unique_ptr<Guise>> native;
  std::unique_ptr<Guise>& guise = native[account.uid];
  if (guise == nullptr) guise = std::make_unique<Guise>(account);
  return *guise;
}

bool Guise::Available() { return !Stage::Get().prefix().empty(); }

std::vector<std::string> Guise::Environment() const {
  std::vector<std::string> env = BaseEnvironment(home_);
  env.push_back("GUISE_RUNTIME_DIR=" + runtime_directory_);
  env.push_back("GUISE_CACHE_DIR=" + cache_directory_);
  return env;
}

Command Guise::Cli(const std::vector<std::string>& arguments) const {
  Command command;
  command.argv = wrapper_;
  command.argv.push_back(prefix_ + "/bin/guise");
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.env = Environment();
  command.cwd = home_;
  command.account = account_;
  return command;
}

Command Guise::In(const Way& way, const std::vector<std::string>& argv) const {
  if (way.native) {
    Command command;
    command.argv = wrapper_;
    command.argv.insert(command.argv.end(), argv.begin(), argv.end());
    command.env = Environment();
    command.cwd = home_;
    command.account = account_;
    return command;
  }
  std::vector<std::string> arguments = {"run"};
  arguments.insert(arguments.end(), way.options.begin(), way.options.end());
  arguments.emplace_back("--");
  arguments.insert(arguments.end(), argv.begin(), argv.end());
  return Cli(arguments);
}

RunResult Guise::StartServer() {
  started_ = true;
  return Process::Start(Cli({"server", "start"}))->WaitForExitOnly();
}

RunResult Guise::StopServer() {
  started_ = false;
  return RunToEnd(Cli({"server", "stop"}));
}

int Guise::Connect() const {
  const std::string path = runtime_directory_ + "/control.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return -1;
  std::strcpy(address.sun_path, path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

pid_t Guise::ServerPid() const {
  const int fd = Connect();
  if (fd < 0) return 0;
  ucred peer{};
  socklen_t size = sizeof(peer);
  const bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  close(fd);
  return known ? peer.pid : 0;
}

}  // namespace guise::tests
