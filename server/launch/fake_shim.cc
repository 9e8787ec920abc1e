// Stands where the shim's image stands. Checks what was handed over as the loader does, closes the guarded fds, takes
// the variable out, and executes the program as it is. FAKE_SHIM_REPORT names a file to write the variable to first.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <initializer_list>

#include "proto/wire/handover.h"
#include "proto/wire/layout.h"

namespace {

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "fake shim: %s: %s\n", what, strerror(errno));
  _exit(99);
}

}  // namespace

int main(int, char** argv, char** envp) {
  char** last = envp;
  while (last[0] != nullptr && last[1] != nullptr) ++last;
  const size_t name_length = strlen(guise::wire::kHandoverName);
  if (*last == nullptr || strncmp(*last, guise::wire::kHandoverName, name_length) != 0) Die("no handover variable");
  const char* value = *last + name_length;
  int abi, image, request, reply, flags, target, path_at;
  if (sscanf(value, "%d:%d:%d:%d:%d:%*d:%d:%n", &abi, &image, &request, &reply, &flags, &target, &path_at) != 6) {
    Die("bad handover variable");
  }
  if (const char* report = getenv("FAKE_SHIM_REPORT"); report != nullptr) {
    FILE* file = fopen(report, "we");
    if (file == nullptr) Die(report);
    fprintf(file, "%s\n", value);
    fclose(file);
  }
  if ((fcntl(image, F_GETFL) & O_PATH) == 0) Die("the image is no path fd");
  if (mmap(nullptr, guise::wire::kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, request, 0) == MAP_FAILED)
    Die("request");
  if (mmap(nullptr, guise::wire::kPageSize, PROT_READ, MAP_SHARED, reply, 0) == MAP_FAILED) Die("reply");
  if (mmap(nullptr, guise::wire::kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, reply, 0) != MAP_FAILED) {
    errno = 0;
    Die("the reply memory can be written to");
  }
  const char* path = value + path_at;
  for (const int fd : {image, request, reply}) close(fd);
  *last = nullptr;
  execve(path, argv, envp);
  fprintf(stderr, "fake shim: %s: %s\n", path, strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}
