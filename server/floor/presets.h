// What a policy can begin with, by name.
#ifndef GUISE_SERVER_FLOOR_PRESETS_H_
#define GUISE_SERVER_FLOOR_PRESETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "proto/control/v1/sandbox.pb.h"

namespace guise::server {

struct Preset {
  const char* name;
  uint32_t processes;
  // Beside what all presets have.
  std::vector<std::string> hidden;
  bool hides_home;
  bool writes_working_directory;
  bool is_for_limits;  // else the limit is a guard against accidents, where there can be one
};

// Null: there is none of this name. An empty one is the default's.
const Preset* FindPreset(const std::string& name);

const std::vector<std::string>& PresetNames();

// Whether a limit of processes was asked for: by number, or by a preset that is for limiting. `policy`: before it was
// completed.
bool AsksForProcesses(const v1::SandboxPolicy& policy);

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_PRESETS_H_
