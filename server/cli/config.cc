#include "server/cli/config.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "proto/text/text_proto.h"
#include "server/cli/arguments.h"
#include "server/launch/xdg.h"

namespace guise::server {
namespace {

// Empty: there is no place for one.
std::string UsersFile() {
  const std::string directory = XdgDirectory("XDG_CONFIG_HOME", "/.config");
  return directory.empty() ? "" : absl::StrCat(directory, "/config.textproto");
}

}  // namespace

absl::StatusOr<v1::Config> ReadConfig(const std::string& path) {
  v1::Config config;
  const std::string file = path.empty() ? UsersFile() : path;
  if (path.empty() && (file.empty() || access(file.c_str(), F_OK) != 0)) return config;
  const absl::StatusOr<std::string> text = ReadTextFile("config", file);
  if (!text.ok()) return text.status();
  if (absl::Status status = ParseTextProto(*text, absl::StrCat("config ", file), &config); !status.ok()) return status;
  // Programs name themselves without links.
  for (v1::ProgramRule& rule : *config.mutable_programs()) {
    const bool is_directory = !rule.path().empty() && rule.path().back() == '/';
    if (rule.path().empty() || rule.path()[0] != '/') continue;
    char resolved[PATH_MAX];
    if (realpath(rule.path().c_str(), resolved) == nullptr) continue;
    rule.set_path(absl::StrCat(resolved, is_directory && resolved[1] != 0 ? "/" : ""));
  }
  return config;
}

}  // namespace guise::server
