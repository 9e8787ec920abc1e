// Programs that this machine cannot run give ENOEXEC: another architecture's, and those with broken headers.
#include <elf.h>

#include "tests/guests/guest.h"

extern char** environ;

static char* image;
static size_t size;

static void Write(const char* name, size_t length) {
  const int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0700);
  CHECK(fd >= 0 && write(fd, image, length) == (ssize_t)length && close(fd) == 0);
}

static int Exec(const char* path) {
  char* const arguments[] = {(char*)path, NULL};
  return execve(path, arguments, environ);
}

int main(int argc, char** argv) {
  (void)argc;
  struct stat status;
  const int fd = open(argv[0], O_RDONLY);
  CHECK(fd >= 0 && fstat(fd, &status) == 0);
  size = (size_t)status.st_size;
  image = malloc(size);
  CHECK(read(fd, image, size) == (ssize_t)size && close(fd) == 0);
  Elf64_Ehdr* header = (Elf64_Ehdr*)image;
  const Elf64_Ehdr good = *header;
  header->e_machine = EM_AARCH64;
  Write("foreign", size);
  FAILS(Exec("foreign"), ENOEXEC);
  *header = good;
  header->e_type = ET_REL;
  Write("object", size);
  FAILS(Exec("object"), ENOEXEC);
  *header = good;
  header->e_phentsize = 7;
  Write("odd headers", size);
  FAILS(Exec("odd headers"), ENOEXEC);
  *header = good;
  header->e_phnum = 0;
  Write("no headers", size);
  FAILS(Exec("no headers"), ENOEXEC);
  *header = good;
  CheckInside();
  return Pass();
}
