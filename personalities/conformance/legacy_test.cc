#include "personalities/legacy/legacy.h"

#include "personalities/conformance/conformance.h"

namespace guise::personalities {

INSTANTIATE_TEST_SUITE_P(Legacy, ConformanceTest,
                         testing::Values(Subject{Legacy::Register(), "el6"}, Subject{Legacy::Register(), "modern"}));

}  // namespace guise::personalities
