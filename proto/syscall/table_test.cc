// The table against what others say of the same numbers: the C library's kernel headers, the asm-generic table, and
// the kernel that runs the test.
#include "proto/syscall/table.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proto/syscall/names.h"

namespace guise::syscall {
namespace {

struct HeaderNumber {
  std::string_view name;
  uint32_t nr;
};

// Every __NR_ of <asm/unistd_64.h>, and every name of <asm-generic/unistd.h>, as the preprocessor sees them.
constexpr HeaderNumber kHeaderNumbers[] = {
#define NUMBER(name, nr) {#name, nr},
#include "proto/syscall/header_numbers.inc"
#undef NUMBER
};
constexpr std::string_view kGenericNames[] = {
#define NAME(name) #name,
#include "proto/syscall/generic_names.inc"
#undef NAME
};
constexpr uint32_t kLastInHeader = kHeaderNumbers[std::size(kHeaderNumbers) - 1].nr;

uint16_t RunningRelease() {
  utsname name;
  unsigned major = 0;
  unsigned minor = 0;
  if (uname(&name) != 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2) return 0;
  return Release(major, minor);
}

// A filter may answer in the kernel's place, as containers' do.
bool UnderSeccomp() { return prctl(PR_GET_SECCOMP) != 0; }

// The errno of the call with arguments that nothing accepts; 0 for success; -1 if the child was killed.
int ErrnoOf(uint32_t nr) {
  const pid_t child = fork();
  if (child == 0) {
    const long result = ::syscall(nr, -1L, -1L, -1L, -1L, -1L, -1L);
    _exit(result == -1 ? errno : 0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

TEST(TableTest, HasEveryNumberOfTheHeaderUnderItsName) {
  for (const HeaderNumber& header : kHeaderNumbers) {
    EXPECT_EQ(Name(header.nr), header.name) << header.nr;
  }
}

TEST(TableTest, AddsOnlyNumbersThatTheHeaderIsTooOldFor) {
  std::set<uint32_t> in_header;
  for (const HeaderNumber& header : kHeaderNumbers) in_header.insert(header.nr);
  for (const Row& row : kTable) {
    const auto nr = static_cast<uint32_t>(row.nr);
    const bool is_probe = row.nr == Nr::uretprobe || row.nr == Nr::uprobe;
    EXPECT_TRUE(in_header.contains(nr) || is_probe || nr > kLastInHeader) << Name(nr);
  }
}

TEST(TableTest, NotInGenericIsWhatTheGenericHeaderLacks) {
  const std::set<std::string_view> generic(std::begin(kGenericNames), std::end(kGenericNames));
  for (const Row& row : kTable) {
    if (static_cast<uint32_t>(row.nr) > kLastInHeader) continue;
    EXPECT_EQ(row.Has(Trait::NotInGeneric), !generic.contains(Name(row.nr))) << Name(row.nr);
  }
}

TEST(TableTest, LegacyCallsOfX86HaveASuccessorOrAreGone) {
  for (const Row& row : kTable) {
    if (!row.Has(Trait::NotInGeneric) || row.Has(Trait::ArchSpecific) || IsGone(row)) continue;
    EXPECT_TRUE(row.Has(Trait::Obsolete)) << Name(row.nr);
    EXPECT_TRUE(row.next != kNoNr || row.nr == Nr::sysfs) << Name(row.nr);
  }
}

TEST(TableTest, SuccessorsAreOnEveryArchitecture) {
  for (const Row& row : kTable) {
    if (row.next == kNoNr || row.Has(Trait::ArchSpecific)) continue;
    EXPECT_FALSE(Find(static_cast<uint32_t>(row.next))->Has(Trait::NotInGeneric)) << Name(row.nr);
  }
}

TEST(TableTest, FindKnowsNothingOfHolesAndHugeNumbers) {
  for (uint32_t nr = 337; nr < 424; ++nr) EXPECT_EQ(Find(nr), nullptr) << nr;
  for (uint32_t nr : {512u, 547u, 1023u, 1024u, 0x40000000u, 0xffffffffu}) EXPECT_EQ(Find(nr), nullptr) << nr;
}

TEST(TableTest, ArgumentsAreThoseThatExist) {
  EXPECT_EQ(Get(Nr::getpid).Arity(), 0u);
  EXPECT_EQ(Get(Nr::mmap).Arity(), 6u);
  size_t seen = 0;
  for (const Arg& arg : Get(Nr::openat).Args()) {
    EXPECT_TRUE(arg.exists());
    ++seen;
  }
  EXPECT_EQ(seen, 4u);
}

TEST(KernelsTest, IncludeTheReleasesBetweenSinceAndUntil) {
  EXPECT_TRUE(Get(Nr::read).kernels.Include(Release(2, 6)));
  EXPECT_FALSE(Get(Nr::mseal).kernels.Include(Release(6, 9)));
  EXPECT_TRUE(Get(Nr::mseal).kernels.Include(Release(6, 10)));
  EXPECT_TRUE(Get(Nr::uselib).kernels.Include(Release(6, 1)));
  EXPECT_FALSE(Get(Nr::uselib).kernels.Include(Release(6, 16)));
  EXPECT_FALSE(Get(Nr::vserver).kernels.Include(Release(6, 18)));
}

// Rows that no header vouches for are tried on the running kernel: those past the header's end and those that are
// gone. All of them refuse -1 for every argument.
std::vector<uint32_t> NumbersToTry() {
  std::vector<uint32_t> numbers;
  for (const Row& row : kTable) {
    const auto nr = static_cast<uint32_t>(row.nr);
    if (nr > kLastInHeader || IsGone(row)) numbers.push_back(nr);
  }
  return numbers;
}

class RunningKernelTest : public testing::TestWithParam<uint32_t> {};

TEST_P(RunningKernelTest, AnswersEnosysIfAndOnlyIfTheRowSaysSo) {
  const Row& row = *Find(GetParam());
  const uint16_t release = RunningRelease();
  ASSERT_NE(release, 0);
  const int error = ErrnoOf(GetParam());
  ASSERT_NE(error, -1) << "the call killed its caller";
  if (!row.kernels.Include(release)) {
    if (!IsGone(row) && error != ENOSYS) GTEST_SKIP() << "this kernel has the call earlier than mainline has";
    if (UnderSeccomp() && error == EPERM) GTEST_SKIP() << "a seccomp filter answers for the kernel";
    EXPECT_EQ(error, ENOSYS);
    if (!IsGone(row)) GTEST_SKIP() << "this kernel is older than the call: " << Describe(row.kernels);
    return;
  }
  if (error == ENOSYS && UnderSeccomp()) GTEST_SKIP() << "a seccomp filter answers for the kernel";
  if (error == ENOSYS && row.Has(Trait::ConfigDependent)) GTEST_SKIP() << "this kernel is built without the call";
  EXPECT_NE(error, ENOSYS);
}

INSTANTIATE_TEST_SUITE_P(Table, RunningKernelTest, testing::ValuesIn(NumbersToTry()),
                         [](const auto& info) { return std::string(Name(info.param)); });

TEST(RunningKernelTest, HasNoNumberBeyondTheTableThatItsReleaseShouldLack) {
  const Row& last = *(kTable.end() - 1);
  if (RunningRelease() > last.kernels.since) GTEST_SKIP() << "this kernel is newer than the table: check for new calls";
  if (UnderSeccomp()) GTEST_SKIP() << "a seccomp filter may answer for the kernel";
  for (uint32_t nr = static_cast<uint32_t>(last.nr) + 1; nr < kNumbers; ++nr) {
    if (nr >= 512 && nr < 548) continue;  // x32's own numbers
    EXPECT_EQ(ErrnoOf(nr), ENOSYS) << nr;
  }
}

}  // namespace
}  // namespace guise::syscall
