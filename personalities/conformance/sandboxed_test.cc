#include "personalities/sandboxed/sandboxed.h"

#include "personalities/conformance/conformance.h"

namespace guise::personalities {

INSTANTIATE_TEST_SUITE_P(Sandboxed, ConformanceTest, testing::Values(Subject{Sandboxed::Register()}));

}  // namespace guise::personalities
