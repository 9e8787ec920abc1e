// /proc/self shows the program's own name, arguments and environment, and a heap where the kernel would have it.
#include <sys/prctl.h>

#include "tests/guests/guest.h"

static ssize_t Slurp(const char* path, char* buffer, size_t size) {
  const int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  size_t got = 0;
  for (ssize_t n; (n = read(fd, buffer + got, size - 1 - got)) > 0;) got += (size_t)n;
  close(fd);
  buffer[got] = '\0';
  return (ssize_t)got;
}

int main(int argc, char** argv) {
  static char buffer[1 << 16];
  if (argc == 1) {
    char* const arguments[] = {argv[0], "an argument", "", "last", NULL};
    char uid[32];
    snprintf(uid, sizeof(uid), "GUEST_UID=%u", ExpectedUid());
    char* const environment[] = {"FIRST=1", uid, "LAST=z", NULL};
    execve(argv[0], arguments, environment);
    CHECK(0);
  }
  CheckInside();
  char expected[16];
  const char* slash = strrchr(argv[0], '/');
  snprintf(expected, sizeof(expected), "%s", slash + 1);
  Slurp("/proc/self/comm", buffer, sizeof(buffer));
  CHECK(strncmp(buffer, expected, strlen(expected)) == 0 && buffer[strlen(expected)] == '\n');
  char name[17] = "";
  CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, expected) == 0);
  const ssize_t size = Slurp("/proc/self/cmdline", buffer, sizeof(buffer));
  const size_t self = strlen(argv[0]) + 1;
  CHECK(size == (ssize_t)(self + 12 + 1 + 5));
  CHECK(strcmp(buffer, argv[0]) == 0 && memcmp(buffer + self, "an argument\0\0last", 18) == 0);
  Slurp("/proc/self/environ", buffer, sizeof(buffer));
  CHECK(strcmp(buffer, "FIRST=1") == 0);
  char* second = buffer + strlen(buffer) + 1;
  CHECK(strncmp(second, "GUEST_UID=", 10) == 0);
  char* third = second + strlen(second) + 1;
  CHECK(strcmp(third, "LAST=z") == 0 && third[strlen(third) + 1] == '\0');
  Slurp("/proc/self/maps", buffer, sizeof(buffer));
  CHECK(strstr(buffer, slash + 1) != NULL && strstr(buffer, "[stack]") != NULL);
  Slurp("/proc/self/status", buffer, sizeof(buffer));
  CHECK(strncmp(buffer, "Name:\t", 6) == 0 && strncmp(buffer + 6, expected, strlen(expected)) == 0);
  return Pass();
}
