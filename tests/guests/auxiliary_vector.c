// The auxiliary vector describes this program: its headers, entry and interpreter, its file name, and a random seed.
#include <elf.h>
#include <sys/auxv.h>

#include "tests/guests/guest.h"

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern void _start(void);

int main(int argc, char** argv) {
  static unsigned char last_random[16];
  (void)argc;
  const Elf64_Phdr* headers = (const Elf64_Phdr*)getauxval(AT_PHDR);
  CHECK((const char*)headers == (const char*)&__ehdr_start + __ehdr_start.e_phoff);
  CHECK(getauxval(AT_PHNUM) == __ehdr_start.e_phnum && getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
  CHECK(getauxval(AT_ENTRY) == (unsigned long)_start);
  int dynamic = 0;
  for (unsigned i = 0; i < __ehdr_start.e_phnum; ++i) dynamic |= headers[i].p_type == PT_INTERP;
  const unsigned long base = getauxval(AT_BASE);
  CHECK((base != 0) == (dynamic != 0));
  if (base != 0) CHECK(memcmp((const void*)base, ELFMAG, SELFMAG) == 0);
  CHECK(strcmp((const char*)getauxval(AT_EXECFN), argv[0]) == 0);
  CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100);
  CHECK(memcmp((const void*)getauxval(AT_RANDOM), last_random, 16) != 0);
  CHECK(getauxval(AT_SECURE) == 0 && strcmp((const char*)getauxval(AT_PLATFORM), "x86_64") == 0);
  if (getauxval(AT_SYSINFO_EHDR) != 0) CHECK(memcmp((const void*)getauxval(AT_SYSINFO_EHDR), ELFMAG, SELFMAG) == 0);
  CHECK(((uintptr_t)argv & 7) == 0);
  return Pass();
}
