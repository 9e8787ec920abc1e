// A 100 KiB environment variable and a hundred small ones come through an exec unharmed.
#include "tests/guests/guest.h"

extern char** environ;

int main(int argc, char** argv) {
  enum { kSize = 100 << 10 };
  if (argc == 1) {
    char* big = malloc(kSize + 1);
    for (int i = 0; i < kSize; ++i) big[i] = (char)('a' + i % 26);
    big[kSize] = '\0';
    CHECK(setenv("BIG", big, 1) == 0);
    for (int i = 0; i < 100; ++i) {
      char name[16];
      snprintf(name, sizeof(name), "SMALL_%d", i);
      CHECK(setenv(name, name, 1) == 0);
    }
    execl(argv[0], argv[0], "again", NULL);
    CHECK(0);
  }
  CheckInside();
  const char* big = getenv("BIG");
  CHECK(big != NULL && strlen(big) == kSize);
  for (int i = 0; i < kSize; ++i) CHECK(big[i] == 'a' + i % 26);
  int small = 0;
  for (char** variable = environ; *variable != NULL; ++variable) {
    small += strncmp(*variable, "SMALL_", 6) == 0;
    CHECK(strncmp(*variable, "GUISE_SHIM", 10) != 0);
  }
  CHECK(small == 100);
  return Pass();
}
