// time() as programs of before 2013 call it, without asking whether the page is there: a kernel without it ends this.
#include "tests/guests/guest.h"

int main(void) {
  CHECK(((long (*)(long*))0xffffffffff600400)(NULL) > 0);
  return Pass();
}
