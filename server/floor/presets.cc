#include "server/floor/presets.h"

namespace guise::server {
namespace {

const std::vector<Preset>& Presets() {
  static const std::vector<Preset> presets = {
      {"default", 4096, {}, true, false, false},
      {"strict", 256, {"/mnt", "/media", "/srv", "/var/log", "/var/spool", "/var/mail", "/boot"}, true, false, true},
      {"build", 4096, {}, true, true, false},
      {"readonly", 4096, {}, false, false, false},
  };
  return presets;
}

}  // namespace

const Preset* FindPreset(const std::string& name) {
  for (const Preset& preset : Presets()) {
    if (preset.name == (name.empty() ? "default" : name)) return &preset;
  }
  return nullptr;
}

const std::vector<std::string>& PresetNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Preset& preset : Presets()) all.emplace_back(preset.name);
    return all;
  }();
  return names;
}

bool AsksForProcesses(const v1::SandboxPolicy& policy) {
  const Preset* const preset = FindPreset(policy.preset());
  return policy.processes() != 0 || (preset != nullptr && preset->is_for_limits);
}

}  // namespace guise::server
