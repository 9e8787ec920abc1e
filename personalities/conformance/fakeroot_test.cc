#include "personalities/fakeroot/fakeroot.h"

#include "personalities/conformance/conformance.h"

namespace guise::personalities {

INSTANTIATE_TEST_SUITE_P(Fakeroot, ConformanceTest, testing::Values(Subject{Fakeroot::Register()}));

}  // namespace guise::personalities
