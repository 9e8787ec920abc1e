// Personalities on top of each other, as people stack them.
#include "personalities/conformance/conformance.h"
#include "personalities/fakeroot/fakeroot.h"
#include "personalities/legacy/legacy.h"
#include "personalities/sandboxed/sandboxed.h"

namespace guise::personalities {

INSTANTIATE_TEST_SUITE_P(Stacks, ConformanceTest,
                         testing::Values(Subject{Fakeroot::Register(), "", {Subject{Legacy::Register(), "el6"}}},
                                         Subject{Fakeroot::Register(), "", {Subject{Sandboxed::Register()}}},
                                         Subject{
                                             Fakeroot::Register(),
                                             "",
                                             {Subject{Legacy::Register(), "modern"}, Subject{Sandboxed::Register()}}}));

}  // namespace guise::personalities
