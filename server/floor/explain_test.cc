#include "server/floor/explain.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace guise::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

v1::SandboxPolicy Policy(v1::Floor floor) {
  v1::SandboxPolicy policy;
  for (const v1::Access access :
       {v1::ACCESS_READ_ONLY, v1::ACCESS_READ_WRITE, v1::ACCESS_HIDDEN, v1::ACCESS_TEMPORARY}) {
    v1::PathRule* const rule = policy.add_paths();
    rule->set_path("/some");
    rule->set_access(access);
  }
  policy.set_network(v1::NETWORK_NONE);
  policy.set_processes(256);
  policy.set_hostname("cell");
  policy.set_floor(floor);
  return policy;
}

const Enforcement& Line(const std::vector<Enforcement>& lines, const std::string& name) {
  const auto found =
      std::find_if(lines.begin(), lines.end(), [&](const Enforcement& each) { return each.line == name; });
  EXPECT_NE(found, lines.end()) << name;
  return *found;
}

// All that a host may lack.
std::vector<HostLayers> Hosts() {
  std::vector<HostLayers> hosts;
  for (unsigned bits = 0; bits < 64; ++bits) {
    hosts.push_back({(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0,
                     (bits & 32) != 0 ? "root is exempt" : ""});
  }
  return hosts;
}

TEST(ExplainTest, EachPromiseThatIsBrokenIsRefusedByName) {
  for (const v1::Floor floor : {v1::FLOOR_NAMESPACES, v1::FLOOR_LANDLOCK}) {
    for (const HostLayers& host : Hosts()) {
      for (const bool asked : {false, true}) {
        const std::vector<Enforcement> lines = Explain(Policy(floor), asked, host);
        const absl::Status status = CheckEnforced(lines);
        EXPECT_EQ(status.ok(),
                  std::none_of(lines.begin(), lines.end(), [](const auto& each) { return each.IsBroken(); }));
        if (!status.ok()) {
          EXPECT_THAT(status.message(), HasSubstr("--best-effort"));
        }
        for (const Enforcement& line : lines) {
          if (line.IsBroken()) {
            EXPECT_THAT(status.message(), HasSubstr(line.line + " (" + line.missing + ")"));
          }
          if (!line.missing.empty()) {
            EXPECT_THAT(NotEnforced(lines, false), HasSubstr(line.line));
          }
          // Nothing else is a default that a sandbox can do without.
          EXPECT_TRUE(line.is_promise || (!asked && line.line == "--processes 256")) << line.line;
        }
      }
    }
  }
}

TEST(ExplainTest, DescriptorsArePromisedWithLandlock) {
  HostLayers host;
  EXPECT_TRUE(CheckEnforced(Explain(Policy(v1::FLOOR_NAMESPACES), true, host)).ok());
  host.landlock = false;
  EXPECT_THAT(CheckEnforced(Explain(Policy(v1::FLOOR_NAMESPACES), true, host)).message(),
              AllOf(HasSubstr("descriptors (0, 1 and 2 can be opened again"), HasSubstr("no Landlock")));
}

TEST(ExplainTest, ALimitOfProcessesIsAPromiseWhenItWasAskedFor) {
  HostLayers host;
  host.no_limit = "root is exempt";
  const v1::SandboxPolicy policy = Policy(v1::FLOOR_NAMESPACES);
  EXPECT_THAT(CheckEnforced(Explain(policy, true, host)).message(), HasSubstr("--processes 256 (root is exempt)"));
  const std::vector<Enforcement> unasked = Explain(policy, false, host);
  EXPECT_TRUE(CheckEnforced(unasked).ok());
  EXPECT_EQ(NotEnforced(unasked, true), "");
  EXPECT_EQ(NotEnforced(unasked, false), "--processes 256 (root is exempt)");
}

TEST(ExplainTest, WithoutItsGroundThereIsNoFloor) {
  HostLayers host;
  host.namespaces = false;
  for (const Enforcement& line : Explain(Policy(v1::FLOOR_NAMESPACES), true, host)) EXPECT_NE(line.missing, "");
  EXPECT_THAT(CheckPossible(Policy(v1::FLOOR_NAMESPACES), host).message(),
              HasSubstr("leave `floor: FLOOR_NAMESPACES`"));
  EXPECT_TRUE(CheckPossible(Policy(v1::FLOOR_LANDLOCK), host).ok());
  host.landlock = false;
  for (const Enforcement& line : Explain(Policy(v1::FLOOR_LANDLOCK), true, host)) EXPECT_NE(line.missing, "");
  EXPECT_THAT(CheckPossible(Policy(v1::FLOOR_LANDLOCK), host).message(), HasSubstr("nor Landlock"));
  host.namespaces = true;
  EXPECT_THAT(CheckPossible(Policy(v1::FLOOR_LANDLOCK), host).message(), HasSubstr("leave `floor: FLOOR_LANDLOCK`"));
  EXPECT_TRUE(CheckPossible(Policy(v1::FLOOR_NAMESPACES), host).ok());
}

TEST(ExplainTest, SaysWhatHidesAFile) {
  const std::vector<Enforcement> mounts = Explain(Policy(v1::FLOOR_NAMESPACES), true, HostLayers());
  EXPECT_THAT(Line(mounts, "--hide /some").layer, AllOf(HasSubstr("nobody can open"), Not(HasSubstr("empty"))));
  const std::vector<Enforcement> landlock = Explain(Policy(v1::FLOOR_LANDLOCK), true, HostLayers());
  EXPECT_THAT(Line(landlock, "--hide /some").layer, AllOf(HasSubstr("EACCES"), HasSubstr("stat(2) shows")));
}

TEST(ExplainTest, SaysWhatLandlockDoesNotKeep) {
  const std::vector<Enforcement> lines = Explain(Policy(v1::FLOOR_LANDLOCK), true, HostLayers());
  for (const char* const word : {"modes", "owners", "times", "user. attributes", "access lists"}) {
    EXPECT_THAT(Line(lines, "--ro /some").layer, HasSubstr(word));
  }
  EXPECT_THAT(Line(lines, "directories above rules").layer, HasSubstr("`ls /` is refused"));
}

}  // namespace
}  // namespace guise::server
