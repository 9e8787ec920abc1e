// Where variables lie in the image (image.lds). A page that a program's start touches costs it a microsecond, and a
// fork another: so small variables share one, and what is large, or not everyone's, lies apart.
#ifndef GUISE_SHIM_PLACEMENT_H_
#define GUISE_SHIM_PLACEMENT_H_

// A table, all zeros at first.
#define GUISE_TABLE [[gnu::section(".bss.tables")]]
// The one that every program begins to use at its start, right behind the small variables.
#define GUISE_FIRST [[gnu::section(".bss.first")]]

#endif  // GUISE_SHIM_PLACEMENT_H_
