// Prints the wire's layout. After a change that is meant:
//   bazel run //proto/wire:layout_dump > proto/wire/layout.txt
#include <cstdio>

#include "proto/wire/layout_text.h"

int main() { return std::fputs(guise::wire::LayoutText().c_str(), stdout) < 0 ? 1 : 0; }
