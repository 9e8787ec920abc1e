// Makes libraries of one call site each (site_library.S).
#ifndef GUISE_TESTS_GUESTS_SITE_LIBRARY_H_
#define GUISE_TESTS_GUESTS_SITE_LIBRARY_H_

#include <dlfcn.h>

#include "tests/guests/guest.h"

extern const unsigned char site_library[], site_library_end[];
__asm__(
    ".section .rodata\n"
    "site_library: .incbin \"tests/guests/site_library.so\"\n"
    "site_library_end:\n"
    ".text\n");

typedef long (*LibrarySite)(void);

// Writes a library whose site gives the caller's parent plus `number`.
static inline void WriteLibrary(const char* path, int32_t number) {
  const size_t size = (size_t)(site_library_end - site_library);
  static const unsigned char kNumber[] = {0x44, 0x33, 0x22, 0x11};
  unsigned char* const copy = malloc(size);
  CHECK(copy != NULL);
  memcpy(copy, site_library, size);
  unsigned char* const place = memmem(copy, size, kNumber, sizeof(kNumber));
  CHECK(place != NULL);
  memcpy(place, &number, sizeof(number));
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  CHECK(fd >= 0 && write(fd, copy, size) == (ssize_t)size && close(fd) == 0);
  free(copy);
}

static inline void* LoadLibrary(const char* path, LibrarySite* site) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
  *site = (LibrarySite)(uintptr_t)dlsym(library, "site_of_library");
  CHECK(*site != NULL);
  return library;
}

#endif  // GUISE_TESTS_GUESTS_SITE_LIBRARY_H_
