// The table's argument kinds against the running kernel, at the edge of a page: with just the bytes that the row
// claims before an unmapped page a call never answers EFAULT; with one byte less it always does. So the row's size is
// neither too large nor too small. (The fuzzer does the same for what is not listed here.)
#include "proto/syscall/extent.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "proto/syscall/extent_cases.h"
#include "proto/syscall/names.h"

namespace guise::syscall {
namespace {

// One page with an unmapped one behind it.
class Edge {
 public:
  Edge() {
    void* pages = mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || munmap(static_cast<char*>(pages) + kPage, kPage) != 0) abort();
    end_ = static_cast<char*>(pages) + kPage;
    // Nothing else may settle behind the edge.
    if (mmap(end_, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != end_) abort();
  }
  ~Edge() { munmap(end_ - kPage, 2 * kPage); }
  Edge(const Edge&) = delete;
  Edge& operator=(const Edge&) = delete;

  // `bytes` bytes that end at the edge, zero but for what `content` says.
  char* Put(size_t bytes, std::string_view content) {
    memset(end_ - kPage, 0, kPage);
    memcpy(end_ - bytes, content.data(), std::min(bytes, content.size()));
    return end_ - bytes;
  }

 private:
  static constexpr size_t kPage = 4096;
  char* end_;
};

// The call's result, or -errno.
long ResultOf(const ExtentCase& test, ExtentArgs args, const char* here) {
  for (uint64_t& arg : args) {
    if (arg == kHere) arg = reinterpret_cast<uint64_t>(here);
  }
  test.prepare();
  const long result = ::syscall(static_cast<long>(test.nr), args[0], args[1], args[2], args[3], args[4], args[5]);
  return result == -1 ? -errno : result;
}

TEST(ExtentTest, TheKernelTouchesJustTheBytesThatTheRowClaims) {
  Edge edge;
  ExtentFixture fixture;
  for (const ExtentCase& test : fixture.Cases()) {
    const size_t position = std::find(test.args.begin(), test.args.end(), kHere) - test.args.begin();
    const Row& row = *Find(static_cast<uint32_t>(test.nr));
    ASSERT_LT(position, row.Arity());
    uint64_t registers[kMaxArgs];
    std::copy(test.args.begin(), test.args.end(), registers);
    const Extent extent = ExtentOf(row, position, registers);
    SCOPED_TRACE(std::string(Name(row.nr)) + " argument " + std::to_string(position) + ": " +
                 Describe(row.args[position]));
    EXPECT_EQ(extent.source, test.bytes == 0 ? Extent::Source::Registers : Extent::Source::Memory);
    const uint64_t bytes = test.bytes != 0 ? test.bytes : extent.bytes;
    ASSERT_GT(bytes, 0u);
    fixture.Clear();
    const long enough = ResultOf(test, test.args, edge.Put(bytes, test.content));
    if (enough == -ENOSYS || enough == -EPERM || enough == -EOPNOTSUPP) continue;  // not on this kernel, or not to us
    EXPECT_NE(enough, -EFAULT) << bytes << " bytes are too few";
    fixture.Clear();
    const long short_of_one = ResultOf(test, test.args, edge.Put(bytes - 1, test.content));
    // Files and pipes copy what they can.
    if (row.result == Result::Bytes && enough == static_cast<long>(bytes) && short_of_one == enough - 1) continue;
    EXPECT_EQ(short_of_one, -EFAULT) << bytes << " bytes are too many; with them the result was " << enough;
    ::syscall(static_cast<long>(Nr::set_mempolicy), 0, 0, 0);
  }
}

TEST(ExtentTest, NullIsRefusedUnlessTheRowSaysOpt) {
  ExtentFixture fixture;
  for (const ExtentCase& test : fixture.Cases()) {
    const size_t position = std::find(test.args.begin(), test.args.end(), kHere) - test.args.begin();
    const Row& row = *Find(static_cast<uint32_t>(test.nr));
    SCOPED_TRACE(std::string(Name(row.nr)) + " argument " + std::to_string(position) + ": " +
                 Describe(row.args[position]));
    const Arg& arg = row.args[position];
    if (row.Has(Trait::MayBlock) && arg.nullable && arg.bytes == sizeof(timespec)) continue;  // would wait for ever
    fixture.Clear();
    const long result = ResultOf(test, test.args, nullptr);
    if (result == -ENOSYS || result == -EPERM || result == -EOPNOTSUPP) continue;
    if (arg.nullable) {
      if (row.nr == Nr::epoll_ctl) continue;  // for EPOLL_CTL_DEL only
      EXPECT_NE(result, -EFAULT);
    } else {
      EXPECT_TRUE(result == -EFAULT || result == -EINVAL) << result;
    }
  }
}

TEST(ExtentTest, LengthsHaveTheWidthThatTheKernelTakes) {
  const uint64_t garbage = uint64_t{0xdead} << 32;
  uint64_t args[kMaxArgs] = {0, 0, garbage | 16, garbage | 16, 0, 0};
  EXPECT_EQ(ExtentOf(Get(Nr::readlink), 1, args).bytes, 16u);
  EXPECT_EQ(ExtentOf(Get(Nr::getdents64), 1, args).bytes, 16u);
  EXPECT_EQ(ExtentOf(Get(Nr::read), 1, args).bytes, garbage | 16);
  args[2] = static_cast<uint64_t>(-1);
  EXPECT_EQ(ExtentOf(Get(Nr::readlink), 1, args).bytes, 0u);
}

TEST(ExtentTest, HugeCountsDoNotWrapAround) {
  uint64_t args[kMaxArgs] = {~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, 0, 0, 0};
  EXPECT_EQ(ExtentOf(Get(Nr::readv), 1, args).bytes, UINT64_MAX);
  EXPECT_EQ(ExtentOf(Get(Nr::msgsnd), 1, args).bytes, UINT64_MAX);
  EXPECT_EQ(ExtentOf(Get(Nr::mincore), 2, args).bytes, uint64_t{1} << 52);
  args[1] = 0x80000000;
  EXPECT_EQ(ExtentOf(Get(Nr::poll), 0, args).bytes, uint64_t{0x80000000} * 8);
}

TEST(ExtentTest, ValuesAndMissingArgumentsHaveNone) {
  const uint64_t args[kMaxArgs] = {};
  EXPECT_EQ(ExtentOf(Get(Nr::read), 0, args).source, Extent::Source::None);
  EXPECT_EQ(ExtentOf(Get(Nr::read), 5, args).source, Extent::Source::None);
  EXPECT_EQ(ExtentOf(Get(Nr::read), 6, args).source, Extent::Source::None);
  EXPECT_EQ(ExtentOf(Get(Nr::ioctl), 2, args).source, Extent::Source::Opaque);
  EXPECT_EQ(ExtentOf(Get(Nr::open), 0, args).source, Extent::Source::Memory);
}

}  // namespace
}  // namespace guise::syscall
