#include "personalities/linux/linux.h"

#include "personalities/conformance/conformance.h"

namespace guise::personalities {

INSTANTIATE_TEST_SUITE_P(Linux, ConformanceTest, testing::Values(Subject{Linux::Register()}));

}  // namespace guise::personalities
