// Sites at random places of pages that are private mappings of files (those are rewritten) and anonymous memory (those
// are not): made, used in all ways, changed, moved, replaced.
#include "tests/stress/code.h"

#include <sys/mman.h>

#include "tests/stress/stress.h"

// What lies behind a call. An operand is four bytes; see Emit.
enum Behind {
  kCompare,
  kAdd,
  kXor,
  kLea,
  kNot,
  kThroughR8,
  kReturnAndNop,
  kReturn,
  kSwap,
  kTest,
  kIncrement,
  kRedZone,
  kBranch,
  kPushPop,
  kVector,
  kRelative,
  kLongNop,
  kSecondCall,
  kBehinds
};

static const struct Code {
  const char* bytes;
  uint8_t size;
  uint8_t operand;  // its offset and size
  uint8_t operand_size;
} kCode[kBehinds] = {
    [kCompare] = {"\x48\x3d\x00\xf0\xff\xff\xc3", 7, 2, 4},
    [kAdd] = {"\x48\x05....\xc3", 7, 2, 4},
    [kXor] = {"\x48\x35....\xc3", 7, 2, 4},
    [kLea] = {"\x48\x8d\x40.\xc3", 5, 3, 1},
    [kNot] = {"\x48\xf7\xd0\xc3", 4, 0, 0},
    [kThroughR8] = {"\x49\x89\xc0\x4c\x89\xc0\xc3", 7, 0, 0},
    [kReturnAndNop] = {"\xc3\x0f\x1f\x84\x00\x00\x00\x00\x00", 9, 0, 0},
    [kReturn] = {"\xc3\xcc", 2, 0, 0},
    [kSwap] = {"\x48\x0f\xc8\xc3", 4, 0, 0},
    [kTest] = {"\x85\xc0\xc3", 3, 0, 0},
    [kIncrement] = {"\x48\xff\xc0\xc3", 4, 0, 0},
    [kRedZone] = {"\x48\x89\x44\x24\xf8\x48\x8b\x44\x24\xf8\xc3", 11, 0, 0},
    [kBranch] = {"\xeb\x03\xcc\xcc\xcc\xc3", 6, 0, 0},
    [kPushPop] = {"\x50\x58\xc3", 3, 0, 0},
    [kVector] = {"\x66\x48\x0f\x6e\xc0\x66\x48\x0f\x7e\xc0\xc3", 11, 0, 0},
    [kRelative] = {"\x4c\x8d\x05\x00\x00\x00\x00\xc3", 8, 0, 0},
    [kLongNop] = {"\x66\x0f\x1f\x44\x00\x00\xc3", 7, 0, 0},
    [kSecondCall] = {"\x49\x89\xc1\xb8\x6e\x00\x00\x00\x0f\x05\x4c\x89\xc8\xc3", 14, 0, 0},
};

__asm__(
    ".text\n"
    ".p2align 4\n"
    ".globl stress_call\n"
    "stress_call:\n"
    "  push %rbx\n"
    "  mov %rdi, %rbx; mov %rsi, %rax; mov %rdx, %r11\n"
    "  mov (%r11), %rdi; mov 8(%r11), %rsi; mov 16(%r11), %rdx\n"
    "  mov 24(%r11), %r10; mov 32(%r11), %r8; mov 40(%r11), %r9\n"
    "  call *%rbx\n"
    "  pop %rbx\n"
    "  ret\n"
    // On the stack: the site, the registers' address, and room for rax and the flags.
    ".globl stress_registers\n"
    "stress_registers:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "  sub $40, %rsp\n"
    "  mov %rdi, (%rsp); mov %rsi, 8(%rsp)\n"
    ".set i, 0\n.rept 16\n  mov 144+8*i(%rsi), %rax; mov %rax, -136+8*i(%rsp)\n.set i, i+1\n.endr\n"
    "  movups 272(%rsi), %xmm0; movups 288(%rsi), %xmm1; movups 304(%rsi), %xmm2; movups 320(%rsi), %xmm3\n"
    "  movups 336(%rsi), %xmm4; movups 352(%rsi), %xmm5; movups 368(%rsi), %xmm6; movups 384(%rsi), %xmm7\n"
    "  movups 400(%rsi), %xmm8; movups 416(%rsi), %xmm9; movups 432(%rsi), %xmm10; movups 448(%rsi), %xmm11\n"
    "  movups 464(%rsi), %xmm12; movups 480(%rsi), %xmm13; movups 496(%rsi), %xmm14; movups 512(%rsi), %xmm15\n"
    "  pushq 128(%rsi); popfq\n"
    "  mov (%rsi), %rax; mov 8(%rsi), %rcx; mov 16(%rsi), %rdx; mov 24(%rsi), %rbx; mov 40(%rsi), %rbp\n"
    "  mov 56(%rsi), %rdi; mov 64(%rsi), %r8; mov 72(%rsi), %r9; mov 80(%rsi), %r10; mov 88(%rsi), %r11\n"
    "  mov 96(%rsi), %r12; mov 104(%rsi), %r13; mov 112(%rsi), %r14; mov 120(%rsi), %r15; mov 48(%rsi), %rsi\n"
    "  call *(%rsp)\n"
    "  mov %rax, 16(%rsp); pushfq; pop %rax; mov %rax, 24(%rsp); pushq $0x202; popfq\n"
    "  mov 8(%rsp), %rax\n"
    "  mov %rcx, 8(%rax); mov %rdx, 16(%rax); mov %rbx, 24(%rax); mov %rbp, 40(%rax); mov %rsi, 48(%rax)\n"
    "  mov %rdi, 56(%rax); mov %r8, 64(%rax); mov %r9, 72(%rax); mov %r10, 80(%rax); mov %r11, 88(%rax)\n"
    "  mov %r12, 96(%rax); mov %r13, 104(%rax); mov %r14, 112(%rax); mov %r15, 120(%rax)\n"
    "  mov %rax, %rsi\n"
    "  mov 16(%rsp), %rax; mov %rax, (%rsi); mov 24(%rsp), %rax; mov %rax, 128(%rsi)\n"
    // The last word of the red zone is where the flags went.
    ".set i, 0\n.rept 16\n  mov -136+8*i(%rsp), %rax; mov %rax, 144+8*i(%rsi)\n.set i, i+1\n.endr\n"
    "  movups %xmm0, 272(%rsi); movups %xmm1, 288(%rsi); movups %xmm2, 304(%rsi); movups %xmm3, 320(%rsi)\n"
    "  movups %xmm4, 336(%rsi); movups %xmm5, 352(%rsi); movups %xmm6, 368(%rsi); movups %xmm7, 384(%rsi)\n"
    "  movups %xmm8, 400(%rsi); movups %xmm9, 416(%rsi); movups %xmm10, 432(%rsi); movups %xmm11, 448(%rsi)\n"
    "  movups %xmm12, 464(%rsi); movups %xmm13, 480(%rsi); movups %xmm14, 496(%rsi); movups %xmm15, 512(%rsi)\n"
    "  add $40, %rsp\n"
    "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n"
    // Sites of the program's own text.
    ".p2align 4\n"
    "own_sites:\n"
    ".rept 32\n"
    "  .p2align 4; syscall; cmp $-4096, %rax; ret\n"
    "  .p2align 4; syscall; mov %rax, %r8; ret\n"
    ".endr\n");
extern const char own_sites[];
enum { kOwnSites = 64 };

static struct Region shared;

static long Result(const struct Site* site, long rax) {
  switch (site->behind) {
    case kAdd:
      return rax - site->operand;
    case kXor:
      return rax ^ site->operand;
    case kLea:
      return rax - (int8_t)site->operand;
    case kNot:
      return ~rax;
    case kSwap:
      return (long)__builtin_bswap64((uint64_t)rax);
    case kIncrement:
      return rax - 1;
    default:
      return rax;
  }
}

static void Emit(unsigned char* to, uint64_t behind, int32_t operand) {
  const struct Code* const code = &kCode[behind];
  memcpy(to, "\x0f\x05", 2);
  memcpy(to + 2, code->bytes, code->size);
  memcpy(to + 2 + code->operand, &operand, code->operand_size);
}

static void Write(uint64_t* random, struct Region* region, int slot) {
  struct Site* const site = &region->sites[slot];
  memset(region->bytes + slot * kSlot, 0x90, kSlot);
  const uint64_t draw = Next(random);
  // The one in front of the page's end lies across it, more often than not.
  const uint64_t at = slot == kPage / kSlot - 1 ? kSlot - 1 - draw % 12 : draw % (kSlot - 32);
  site->at = (uint16_t)(slot * kSlot + (int)at);
  site->behind = (uint8_t)(draw >> 32) % kBehinds;
  site->operand = (int32_t)Next(random);
  if (site->behind == kCompare && draw >> 63) site->operand = -4096;
  Emit(region->bytes + site->at, site->behind, site->operand);
}

static void WriteAll(uint64_t* random, struct Region* region) {
  // From behind, so that what reaches into the next slot stays.
  for (int slot = kSites - 1; slot >= 0; --slot) Write(random, region, slot);
  // The slot behind the page's end keeps clear of what reaches into it.
  struct Site* const next = &region->sites[kPage / kSlot];
  if (next->at % kSlot < 32) {
    next->at = (uint16_t)(next->at + 32);
    Emit(region->bytes + next->at, next->behind, next->operand);
  }
}

static int FileWith(const unsigned char* bytes) {
  char name[] = "code_XXXXXX";
  const int file = mkostemp(name, O_CLOEXEC);
  CHECK(file >= 0 && unlink(name) == 0 && pwrite(file, bytes, kCodeSize, 0) == kCodeSize);
  return file;
}

static void MapFile(struct Region* region, unsigned char* at, int flags) {
  const int file = FileWith(region->bytes);
  CHECK(mmap(at, kCodeSize, PROT_READ | PROT_EXEC, MAP_PRIVATE | flags, file, 0) == at && close(file) == 0);
  region->start = at;
  memcpy(region->sites_in_file, region->sites, sizeof(region->sites));
  memcpy(region->bytes_in_file, region->bytes, kCodeSize);
}

static void MapAnonymous(struct Region* region, unsigned char* at, int flags) {
  CHECK(mmap(at, kCodeSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0) == at);
  memcpy(at, region->bytes, kCodeSize);
  CHECK(mprotect(at, kCodeSize, PROT_READ | PROT_EXEC) == 0);
  region->start = at;
}

static unsigned char* Reserve(size_t size) {
  void* const at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

void OpenSharedCode(uint64_t seed) {
  uint64_t random = seed;
  WriteAll(&random, &shared);
  MapFile(&shared, Reserve(kCodeSize), MAP_FIXED);
}

void OpenCode(struct Stream* stream) {
  struct Sites* const sites = &stream->sites;
  sites->room = Reserve(3 * kCodeSize);
  WriteAll(&stream->random, &sites->mapped);
  MapFile(&sites->mapped, sites->room, MAP_FIXED);
  WriteAll(&stream->random, &sites->anonymous);
  MapAnonymous(&sites->anonymous, sites->room + 2 * kCodeSize, MAP_FIXED);
}

static long CallSite(const struct Region* region, uint64_t draw, long nr, const long* arguments) {
  const struct Site* const site = &region->sites[draw % kSites];
  return Result(site, stress_call(region->start + site->at, nr, arguments));
}

long CallBy(struct Stream* stream, long nr, const long arguments[6]) {
  const uint64_t draw = Random(stream);
  switch (draw >> 32 & 7) {
    case 0: {
      const long result =
          syscall(nr, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
      return result == -1 ? -errno : result;
    }
    case 1:
    case 2:
      return stress_call(own_sites + draw % kOwnSites * 16, nr, arguments);
    case 3:
    case 4:
      return CallSite(&shared, draw, nr, arguments);
    case 5:
      return CallSite(&stream->sites.anonymous, draw, nr, arguments);
    default:
      return CallSite(&stream->sites.mapped, draw, nr, arguments);
  }
}

// One of the stream's two regions.
static struct Region* Any(struct Stream* stream) {
  return Below(stream, 4) == 0 ? &stream->sites.anonymous : &stream->sites.mapped;
}

static void Hammer(struct Stream* stream) {
  const struct Region* const region = Below(stream, 3) == 0 ? &shared : Any(stream);
  const struct Site* const site = &region->sites[Below(stream, kSites)];
  const uint64_t times = Below(stream, 80);
  const long parent = getppid();
  const long none[6] = {-1, 0, 0, 0, 0, 0};
  for (uint64_t i = 0; i < times; ++i) {
    CHECK(Result(site, stress_call(region->start + site->at, SYS_getppid, none)) == parent);
    CHECK(Result(site, stress_call(region->start + site->at, SYS_close, none)) == -EBADF);
  }
}

// To the place behind a call, without one.
static void Behind(struct Stream* stream) {
  const struct Region* const region = Below(stream, 3) == 0 ? &shared : Any(stream);
  const struct Site* const site = &region->sites[Below(stream, kSites)];
  const long none[6] = {0};
  for (uint64_t times = Below(stream, 6); times > 0; --times) {
    const long value = (long)Random(stream);
    const long result = Result(site, stress_call(region->start + site->at + 2, value, none));
    CHECK(result == value);
    Fold(stream, (uint64_t)result);
  }
}

static void RegistersAround(struct Stream* stream) {
  static const int kNumbers[] = {SYS_getppid, SYS_getuid, SYS_sched_yield, SYS_write, SYS_lseek, SYS_fstat, 1000};
  enum { kRax, kRcx, kRdx, kRbx, kRsp, kRbp, kRsi, kRdi, kR8, kR9, kR10, kR11 };
  enum { kStatus = 0x8d5, kDirection = 0x400, kAlignment = 0x40000, kIdentification = 0x200000, kAlways = 0x202 };
  const struct Region* const region = Below(stream, 3) == 0 ? &shared : Any(stream);
  const struct Site* const site = &region->sites[Below(stream, kSites)];
  const int number = kNumbers[Below(stream, sizeof(kNumbers) / sizeof(kNumbers[0]))];
  struct Registers registers;
  Fill(stream, &registers, sizeof(registers));
  registers.flags = (registers.flags & (kStatus | kDirection | kAlignment | kIdentification)) | kAlways;
  registers.general[kRax] = (uint64_t)number;
  registers.general[kRdi] = (uint64_t)-1;
  struct Registers before = registers;
  stress_registers(region->start + site->at, &registers);
  const long result = Result(site, (long)registers.general[kRax]);
  if (number == SYS_getppid) CHECK(result == getppid());
  if (number == SYS_getuid) CHECK(result == (long)ExpectedUid());
  const int is_same = number != SYS_getppid && number != SYS_getuid;
  if (is_same) Fold(stream, (uint64_t)result);
  // rcx is the address behind the last call; r11 holds the flags of then.
  const uint64_t behind = registers.general[kRcx] - (uint64_t)(uintptr_t)(region->start + site->at);
  CHECK(behind == (site->behind == kSecondCall ? 2 + 10 : 2));
  CHECK((registers.general[kR11] & ~0x10000u) == before.flags);
  // Some are those of arithmetic with the result.
  if (is_same) Fold(stream, registers.flags & (kStatus | kDirection | kAlignment | kIdentification));
  // What the site's own code changes.
  before.general[kRax] = registers.general[kRax] = 0;
  before.general[kRcx] = registers.general[kRcx] = 0;
  before.general[kR11] = registers.general[kR11] = 0;
  before.general[kRsp] = registers.general[kRsp] = 0;
  before.flags = registers.flags = 0;
  if (site->behind == kThroughR8 || site->behind == kRelative) before.general[kR8] = registers.general[kR8];
  if (site->behind == kSecondCall) before.general[kR9] = registers.general[kR9];
  if (site->behind == kRedZone || site->behind == kPushPop) before.red_zone[15] = registers.red_zone[15];
  if (site->behind == kVector) memcpy(before.vectors, registers.vectors, 16);
  CHECK(memcmp(&before, &registers, sizeof(before)) == 0);
}

// All of it anew: mapped over, or into the hole that an unmapping left.
static void Renew(struct Stream* stream) {
  struct Region* const region = Any(stream);
  WriteAll(&stream->random, region);
  int flags = MAP_FIXED;
  if (stream->alone && Below(stream, 2) == 0) {
    CHECK(munmap(region->start, kCodeSize) == 0);
    flags = MAP_FIXED_NOREPLACE;
  }
  if (region == &stream->sites.mapped) {
    MapFile(region, region->start, flags);
  } else {
    MapAnonymous(region, region->start, flags);
  }
}

// Writable, with or without being executable; changed at one place; executable again, or both.
static void Change(struct Stream* stream) {
  struct Region* const region = Any(stream);
  const int slot = (int)Below(stream, kSites);
  const int open = PROT_READ | PROT_WRITE | (Below(stream, 2) == 0 ? PROT_EXEC : 0);
  const int closed = PROT_READ | PROT_EXEC | (Below(stream, 8) == 0 ? PROT_WRITE : 0);
  CHECK(mprotect(region->start, kCodeSize, open) == 0);
  CHECK(memcmp(region->start, region->bytes, kCodeSize) == 0);
  struct Site* const site = &region->sites[slot];
  const struct Code* const code = &kCode[site->behind];
  if (code->operand_size > 0) {
    site->operand = (int32_t)Random(stream);
    Emit(region->bytes + site->at, site->behind, site->operand);
    memcpy(region->start + site->at + 2 + code->operand, &site->operand, code->operand_size);
  }
  CHECK(memcmp(region->start, region->bytes, kCodeSize) == 0);
  CHECK(mprotect(region->start, kCodeSize, closed) == 0);
}

// What was written there is lost: the file's bytes are back.
static void Discard(struct Stream* stream) {
  struct Region* const region = &stream->sites.mapped;
  CHECK(madvise(region->start, kCodeSize, MADV_DONTNEED) == 0);
  memcpy(region->sites, region->sites_in_file, sizeof(region->sites));
  memcpy(region->bytes, region->bytes_in_file, kCodeSize);
}

static void Move(struct Stream* stream) {
  if (!stream->alone) return;  // others would find the hole
  struct Region* const region = &stream->sites.mapped;
  unsigned char* const room = stream->sites.room;
  unsigned char* const from = region->start;
  unsigned char* const to = from == room ? room + kCodeSize : room;
  CHECK(mremap(from, kCodeSize, kCodeSize, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
  region->start = to;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  CHECK(mmap(from, kCodeSize, PROT_READ, flags, -1, 0) == from);
  Fold(stream, from[Below(stream, kCodeSize)]);
}

const struct Operation kCodeOperations[] = {
    {"hammer a site", Hammer, 60, 0},
    {"go behind a site", Behind, 40, 0},
    {"registers around a site", RegistersAround, 100, 0},
    {"renew code", Renew, 8, 0},
    {"change code", Change, 16, 0},
    {"discard code", Discard, 8, 0},
    {"move code", Move, 12, 0},
    {0},
};
