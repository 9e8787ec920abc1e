#include "shim/rewrite/text_rules.h"

#include <string>

#include "gtest/gtest.h"

namespace guise::shim {
namespace {

using namespace std::string_literals;

bool Keeps(const std::string& rules, const char* path) { return KeepsText(rules.c_str(), rules.size() + 1, path); }

TEST(TextRulesTest, WithoutRulesTextIsRewritten) { EXPECT_FALSE(Keeps("", "/bin/true")); }

TEST(TextRulesTest, AProgramIsNamedWhole) {
  const std::string rules = "k/usr/bin/luajit\0"s;
  EXPECT_TRUE(Keeps(rules, "/usr/bin/luajit"));
  EXPECT_FALSE(Keeps(rules, "/usr/bin/luajit2"));
  EXPECT_FALSE(Keeps(rules, "/usr/bin/lua"));
  EXPECT_FALSE(Keeps(rules, "/opt/usr/bin/luajit"));
}

TEST(TextRulesTest, ADirectoryMeansAllBelowIt) {
  const std::string rules = "k/opt/games/\0"s;
  EXPECT_TRUE(Keeps(rules, "/opt/games/chess"));
  EXPECT_TRUE(Keeps(rules, "/opt/games/bin/go"));
  EXPECT_FALSE(Keeps(rules, "/opt/games"));
  EXPECT_FALSE(Keeps(rules, "/opt/games2/chess"));
}

TEST(TextRulesTest, TheLastThatMatchesDecides) {
  const std::string rules = "k/opt/\0r/opt/fast\0k/usr/bin/a\0"s;
  EXPECT_TRUE(Keeps(rules, "/opt/slow"));
  EXPECT_FALSE(Keeps(rules, "/opt/fast"));
  EXPECT_TRUE(Keeps(rules, "/usr/bin/a"));
}

TEST(TextRulesTest, RulesThatFillTheirRoomEndThere) {
  const std::string rules = "k/a\0k/b"s;
  EXPECT_TRUE(KeepsText(rules.c_str(), rules.size() + 1, "/b"));
}

}  // namespace
}  // namespace guise::shim
