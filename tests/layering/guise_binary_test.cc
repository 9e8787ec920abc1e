// What `guise` loads when it starts: little, because a short program's start is waited for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/process.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(GuiseBinaryTest, LoadsNoLibraryOfCxx) {
  Command command;
  command.argv = {"readelf", "-dW", Runfile("server/cli/guise")};
  command.env = BaseEnvironment("/tmp");
  const RunResult result = RunToEnd(command);
  ASSERT_TRUE(result.ok()) << result.err;
  EXPECT_THAT(result.out, HasSubstr("[libc.so.6]"));
  EXPECT_THAT(result.out, AllOf(Not(HasSubstr("libstdc++")), Not(HasSubstr("libprotobuf")), Not(HasSubstr("libabsl")),
                                Not(HasSubstr("libgrpc"))));
}

}  // namespace
}  // namespace guise::tests
