#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/control/v1/sandbox.pb.h"
#include "proto/text/json_proto.h"
#include "proto/text/text_proto.h"

namespace guise {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string JsonError(const std::string& text) {
  v1::SandboxPolicy policy;
  return std::string(ParseJsonProto(text, "policy q", &policy).message());
}

std::string TextError(const std::string& text) {
  v1::SandboxPolicy policy;
  return std::string(ParseTextProto(text, "policy q", &policy).message());
}

TEST(TextProtoTest, NotesWhereItsFieldsAre) {
  v1::SandboxPolicy policy;
  FieldLines lines;
  ASSERT_TRUE(ParseTextProto("preset: \"strict\"\npaths { path: \"/a\"\n  access: ACCESS_HIDDEN }\n\npaths {}\n",
                             "policy q", &policy, &lines)
                  .ok());
  EXPECT_EQ(lines.Of("preset"), 1);
  EXPECT_EQ(lines.Of("paths[0]"), 2);
  EXPECT_EQ(lines.Of("paths[0].access"), 3);
  EXPECT_EQ(lines.Of("paths[1]"), 5);
  EXPECT_EQ(lines.Of("hostname"), 0);
}

TEST(JsonProtoTest, NotesWhereItsFieldsAre) {
  v1::SandboxPolicy policy;
  FieldLines lines;
  ASSERT_TRUE(ParseJsonProto("{\n \"paths\": [\n  {\"path\": \"/a\",\n \"access\": \"ACCESS_HIDDEN\"},\n {}],\n"
                             " \"processes\":\n 7, 'hostname': \"x\\\"\"}\n",
                             "policy q", &policy, &lines)
                  .ok());
  EXPECT_EQ(policy.processes(), 7u);
  EXPECT_EQ(lines.Of("paths[0]"), 3);
  EXPECT_EQ(lines.Of("paths[0].access"), 4);
  EXPECT_EQ(lines.Of("paths[1]"), 5);
  EXPECT_EQ(lines.Of("processes"), 6);
  EXPECT_EQ(lines.Of("hostname"), 7);
  EXPECT_EQ(lines.Of("preset"), 0);
}

TEST(JsonProtoTest, SaysWhereSomethingIsWrong) {
  EXPECT_THAT(JsonError("{\n  \"netwrk\": 1}"), StartsWith("policy q, line 2, column 3: message type "
                                                           "\"guise.v1.SandboxPolicy\" has no field named "
                                                           "\"netwrk\"; its fields"));
  EXPECT_THAT(JsonError("{\"paths\":\n [{\"path\": \"/\",\n \"acces\": 1}]}"),
              StartsWith("policy q, line 3, column 2"));
  EXPECT_THAT(JsonError("{\"paths\": 1}"), StartsWith("policy q, line 1, column 2: the value of \"paths\" is"));
  EXPECT_THAT(JsonError("{\"network\":\n \"NETWORK_SOME\"}"),
              StartsWith("policy q, line 1, column 2: the value of \"network\" is to be one of NETWORK_NONE, "));
  EXPECT_THAT(JsonError("{\n\"processes\": -1}"), StartsWith("policy q, line 2, column 1: the value of \"processes\""));
  EXPECT_THAT(JsonError("{\"hostname\": 1.5x}"), StartsWith("policy q, line 1, column 2: the value of \"hostname\""));
  EXPECT_THAT(JsonError("{\"hostname\"\n \"x\"}"), StartsWith("policy q, line 2, column 2: a colon is expected"));
  EXPECT_THAT(JsonError("{\"hostname\": \"x\"\n"), StartsWith("policy q, line 2, column 1: a comma or } is expected"));
  EXPECT_THAT(JsonError("{\n\"hostname\": \"x\n"), StartsWith("policy q, line 2, column 13: the string has no end"));
  EXPECT_THAT(JsonError("{}\n}"), StartsWith("policy q, line 2, column 1: nothing follows"));
  EXPECT_THAT(JsonError(std::string(1000, '[')), StartsWith("policy q, line 1, column 102: too deep"));
  EXPECT_THAT(JsonError("{\"hostname\": \"x\",\n}"), StartsWith("policy q, line 2, column 1: the name of a field is"));
  EXPECT_THAT(JsonError("{\"paths\": [,]}"), StartsWith("policy q, line 1, column 12: a value is expected"));
}

TEST(TextProtoTest, SaysWhatThereIsToWrite) {
  constexpr char kFields[] =
      "; its fields are preset, paths {path, access (ACCESS_READ_ONLY, ACCESS_READ_WRITE, ACCESS_HIDDEN, "
      "ACCESS_TEMPORARY), origin}, network (NETWORK_NONE, NETWORK_LOOPBACK, NETWORK_HOST), processes, hostname, floor "
      "(";
  EXPECT_THAT(TextError("hostname: \"x\"\nnetwrk: NETWORK_NONE\n"),
              AllOf(StartsWith("policy q, line 2, column 7: "), HasSubstr(absl::StrCat("\"netwrk\"", kFields))));
  EXPECT_THAT(TextError("network: none\n"), AllOf(StartsWith("policy q, line "), HasSubstr(kFields)));
  EXPECT_THAT(JsonError("{\"netwrk\": 1}"), HasSubstr(absl::StrCat("\"netwrk\"", kFields)));
}

TEST(JsonProtoTest, TakesNoFieldTwice) {
  EXPECT_THAT(JsonError("{\"preset\": \"strict\",\n\"preset\": \"build\"}"),
              StartsWith("policy q, line 2, column 1: \"preset\" is given a second time"));
  EXPECT_THAT(JsonError("{\"paths\": [{}],\n\"paths\": [{}]}"), StartsWith("policy q, line 2, column 1: \"paths\" is"));
  EXPECT_THAT(JsonError("{\"paths\": [{\"path\": \"/\"}, {\"path\": \"/a\",\n'path': null}]}"),
              StartsWith("policy q, line 2, column 1: \"path\" is given"));
  EXPECT_EQ(JsonError("{\"paths\": null, \"preset\": null, \"hostname\": null}"), "");
}

}  // namespace
}  // namespace guise
