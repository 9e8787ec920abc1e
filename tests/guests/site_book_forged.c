// A process that finds what its session has noted of call sites, and writes there that there are calls where none are:
// whoever maps the file then runs what is in it. Natively there is nothing to find.
#include <sys/mman.h>

#include "tests/guests/guest.h"

// The session's memory, as docs/WIRE.md describes it.
enum { kBookOffset = 2044 << 10, kFiles = 256, kPath = 192, kSites = 76 };
struct Site {
  uint64_t place;
  uint64_t text;
  uint32_t caught;
  uint32_t plan;
};
struct File {
  uint64_t identity;
  uint32_t learners;
  uint32_t named;
  uint64_t device;
  uint64_t inode;
  char path[kPath];
  struct Site sites[kSites];
};
struct Book {
  uint64_t keys[kFiles];
  uint32_t places[kFiles];
  uint32_t used;
  char reserved[1020];
  struct File files[kFiles];
};

enum { kPage = 4096, kCall = 64, kNumber = 256, kUses = 100 };
typedef long (*Code)(void);
// mov $getppid,%eax; syscall; lea 1(%rax),%rax; ret
static const unsigned char kCallCode[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0x48, 0x8d, 0x40, 0x01, 0xc3};
// A number that reads like syscall; cmp $-4096,%rax: movabs $..,%rax; ret
static const unsigned char kNumberCode[] = {0x48, 0xb8, 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0xc3};
static const long kNumberValue = (long)0xfffff0003d48050f;

static char* Map(int fd) {
  char* const page = mmap(NULL, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  CHECK(page != MAP_FAILED);
  return page;
}

static void Use(const char* page) {
  const long parent = getppid();
  for (int i = 0; i < kUses; ++i) CHECK(((Code)(uintptr_t)(page + kCall))() == parent + 1);
  CHECK(((Code)(uintptr_t)(page + kNumber))() == kNumberValue);
}

static struct Book* FindBook(void) {
  FILE* const maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  char line[4096 + 128];
  unsigned long start = 0;
  while (start == 0 && fgets(line, sizeof(line), maps) != NULL) {
    if (strstr(line, "guise-request") != NULL) start = strtoul(line, NULL, 16);
  }
  fclose(maps);
  return start == 0 ? NULL : (struct Book*)(start + kBookOffset);
}

// Behind the last site of the file that has the call.
static struct Site* FindEnd(struct Book* book) {
  const uint64_t place = (uint64_t)(kCall + 5) << 16 | SYS_getppid;
  for (int file = 0; file < kFiles; ++file) {
    for (struct Site* site = book->files[file].sites; site->place != 0; ++site) {
      if (site->place != place) continue;
      while (site->place != 0) ++site;
      return site;
    }
  }
  return NULL;
}

int main(void) {
  char name[] = "code_XXXXXX";
  const int fd = mkstemp(name);
  CHECK(fd >= 0 && ftruncate(fd, kPage) == 0);
  CHECK(pwrite(fd, kCallCode, sizeof(kCallCode), kCall) == (ssize_t)sizeof(kCallCode));
  CHECK(pwrite(fd, kNumberCode, sizeof(kNumberCode), kNumber) == (ssize_t)sizeof(kNumberCode));
  Use(Map(fd));
  struct Book* const book = FindBook();
  struct Site* const end = book == NULL ? NULL : FindEnd(book);
  // A session that notes anything has noted this file.
  for (int file = 0; book != NULL && file < kFiles; ++file) CHECK(book->keys[file] == 0 || end != NULL);
  if (end != NULL) {
    const uint64_t offsets[] = {kNumber + 2, kNumber + 2, kPage - 2, kPage - 8, kPage, (uint64_t)1 << 40};
    const uint64_t numbers[] = {SYS_getppid, 0xffff, SYS_getppid, SYS_getppid, SYS_getppid, 1023};
    for (int i = 0; i < 6; ++i) {
      end[i].text = 0xfefff0003d48050f;
      end[i].caught = 1000;
      end[i].place = offsets[i] << 16 | numbers[i];
    }
    // Agrees with the file, and is of a call that there is not.
    end[1].text = (uint64_t)kNumberValue;
  }
  // The first of them learn.
  for (int i = 0; i < 24; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      Use(Map(fd));
      _exit(0);
    }
    CHECK(ExitOf(child) == 0);
  }
  return Pass();
}
