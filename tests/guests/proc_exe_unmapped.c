// A program whose file's first page is mapped no more: /proc/self/exe still names it, by its own name, not by the link
// that it was run by.
#include <sys/auxv.h>
#include <sys/mman.h>

#include "tests/guests/guest.h"

enum { kPage = 4096 };

static void ReplaceFirstPage(void) {
  char* const page = (char*)(uintptr_t)(getauxval(AT_PHDR) & ~(kPage - 1ul));
  static char copy[kPage];
  memcpy(copy, page, kPage);
  const int protection = PROT_READ | PROT_WRITE;
  CHECK(mmap(page, kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);
  memcpy(page, copy, kPage);
}

int main(int argc, char** argv) {
  if (argc == 1) {
    CHECK(symlink(argv[0], "link") == 0);
    execl("./link", "./link", argv[0], NULL);
    CHECK(0);
  }
  CheckInside();
  ReplaceFirstPage();
  char target[4096];
  const ssize_t length = readlink("/proc/self/exe", target, sizeof(target) - 1);
  CHECK(length > 0);
  target[length] = 0;
  CHECK(strcmp(target, argv[1]) == 0);
  return Pass();
}
