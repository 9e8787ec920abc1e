// A program that maps the text of the C library, and of its ELF interpreter, for itself, as emulators do, finds in it
// what is in the file.
#include <elf.h>
#include <sys/mman.h>

#include "tests/guests/guest.h"

static int Maps(const char* path) {
  const int fd = open(path, O_RDONLY);
  Elf64_Ehdr head;
  CHECK(fd >= 0 && read(fd, &head, sizeof(head)) == sizeof(head));
  int found = 0;
  for (int i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr segment;
    CHECK(pread(fd, &segment, sizeof(segment), (off_t)(head.e_phoff + (size_t)i * sizeof(segment))) == sizeof(segment));
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const size_t size = segment.p_filesz;
    char* const text = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, (off_t)segment.p_offset);
    char* const copy = malloc(size);
    CHECK(text != MAP_FAILED && copy != NULL);
    CHECK(pread(fd, copy, size, (off_t)segment.p_offset) == (ssize_t)size);
    CHECK(memcmp(text, copy, size) == 0);
    ++found;
  }
  return found;
}

// The ELF interpreter's calls are the ones that pay.
int main(void) {
  static const char* const kAll[] = {"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"};
  int found = 0;
  for (size_t i = 0; i < sizeof(kAll) / sizeof(kAll[0]); ++i) {
    if (access(kAll[i], R_OK) == 0) found += Maps(kAll[i]);
  }
  CHECK(found > 0);
  return Pass();
}
