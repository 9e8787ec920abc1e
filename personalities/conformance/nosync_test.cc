#include "personalities/nosync/nosync.h"

#include "personalities/conformance/conformance.h"

namespace guise::personalities {

INSTANTIATE_TEST_SUITE_P(Nosync, ConformanceTest, testing::Values(Subject{Nosync::Register()}));

}  // namespace guise::personalities
