#include <signal.h>

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/cli/arguments.h"
#include "server/cli/json.h"
#include "server/cli/table.h"

namespace guise::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ArgumentsTest, AStackIsNamesWithCommasBetween) {
  const absl::StatusOr<v1::Stack> stack = ParseStack("fakeroot, legacy");
  ASSERT_TRUE(stack.ok()) << stack.status();
  EXPECT_EQ(StackText(*stack), "fakeroot,legacy");
  for (const char* bad : {"", ",", "fakeroot,", " "}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseStack(bad).status())) << bad;
  }
}

TEST(ArgumentsTest, ALayersArgumentMayBeAPathFromTheWorkingDirectory) {
  const std::string here = std::filesystem::current_path().native();
  const absl::StatusOr<v1::Stack> stack = ParseStack("a:./b c,d:../e,f:g/../h,i:/j");
  ASSERT_TRUE(stack.ok()) << stack.status();
  EXPECT_THAT(stack->layers(), ElementsAre("a:" + here + "/b c", "d:" + here + "/../e", "f:g/../h", "i:/j"));
}

TEST(ArgumentsTest, APlacementNamesASyscallAndAPlace) {
  const absl::StatusOr<v1::PlacementOverride> placement = ParsePlacement("all=server");
  ASSERT_TRUE(placement.ok()) << placement.status();
  EXPECT_EQ(placement->syscall(), "all");
  EXPECT_EQ(placement->placement(), v1::PLACEMENT_SERVER);
  EXPECT_EQ(ParsePlacement("getuid=kernel")->placement(), v1::PLACEMENT_KERNEL);
  EXPECT_EQ(ParsePlacement("getuid=shim")->placement(), v1::PLACEMENT_SHIM);
  EXPECT_EQ(ParsePlacement("getuid=default")->placement(), v1::PLACEMENT_UNSPECIFIED);
  for (const char* bad : {"", "getuid", "getuid=", "=server", "=default", "getuid=there", "getuid=server=shim"}) {
    const absl::Status status = ParsePlacement(bad).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << bad;
    EXPECT_THAT(status.message(), HasSubstr("placement")) << bad;
  }
}

TEST(ArgumentsTest, ASignalIsANameOrANumber) {
  for (const char* term : {"TERM", "SIGTERM", "term", "15"}) {
    const absl::StatusOr<int> number = ParseSignal(term);
    ASSERT_TRUE(number.ok()) << term;
    EXPECT_EQ(*number, SIGTERM) << term;
  }
  for (const char* bad : {"", "0", "-1", "65", "TERMINATE"}) EXPECT_FALSE(ParseSignal(bad).ok()) << bad;
}

TEST(ArgumentsTest, AFileThatCannotBeReadIsSaidWhy) {
  EXPECT_THAT(ReadTextFile("policy", "/none").status().message(),
              HasSubstr("policy /none cannot be read: No such file or directory; name"));
  EXPECT_THAT(ReadTextFile("policy", "/etc").status().message(), HasSubstr("policy /etc is a directory; name"));
  EXPECT_EQ(*ReadTextFile("policy", "/dev/null"), "");
  EXPECT_THAT(ReadTextFile("policy", "/dev/zero").status().message(), HasSubstr("is longer than 1048576 bytes; name"));
  EXPECT_THAT(ReadTextFile("policy", "/proc/self/mem").status().message(), HasSubstr("cannot be read: Input/output"));
}

TEST(JsonTest, EscapesAndNests) {
  JsonWriter json;
  json.BeginObject().Key("a\"b").String("line\n\\ \x01 \xc3\xa4");
  json.Key("list").BeginArray().Number(uint64_t{18446744073709551615u}).Bool(false).EndArray();
  json.Key("none").BeginArray().EndArray().EndObject();
  EXPECT_EQ(
      json.Take(),
      "{\n  \"a\\\"b\": \"line\\u000a\\\\ \\u0001 \xc3\xa4\",\n  \"list\": [\n    18446744073709551615,\n    false\n"
      "  ],\n  \"none\": []\n}\n");
}

TEST(TableTest, AlignsAllButTheLastColumn) {
  Table table({"A", "BB", "C"});
  table.Add({"long", "b", "c c"});
  EXPECT_EQ(table.Text(), "A     BB  C\nlong  b   c c\n");
}

TEST(TableTest, NamesOfFilesMakeNoLinesOfTheirOwn) {
  Table table({"A", "B"});
  table.Add({"--hide /\xc3\xa4\n--net none", "\x1b[2J"});
  EXPECT_EQ(table.Text(), "A                         B\n--hide /\xc3\xa4\\x0a--net none  \\x1b[2J\n");
}

}  // namespace
}  // namespace guise::server
