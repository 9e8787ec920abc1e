#include "server/floor/generic_kernel.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace guise::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(GenericKernelTest, SaysThatACpuWithoutFsgsbaseKeepsArchPrctl) {
  constexpr unsigned long kFsgsbase = 2;  // ABI: HWCAP2_FSGSBASE
  EXPECT_EQ(ExceptedForCpu(kFsgsbase), "");
  EXPECT_EQ(ExceptedForCpu(~0ul), "");
  EXPECT_THAT(ExceptedForCpu(~kFsgsbase), AllOf(HasSubstr("arch_prctl is excepted"), HasSubstr("no FSGSBASE")));
}

}  // namespace
}  // namespace guise::server
