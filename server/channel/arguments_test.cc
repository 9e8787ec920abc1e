#include "server/channel/arguments.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "proto/syscall/table.h"

namespace guise::server {
namespace {

class ArgumentsTest : public ::testing::Test {
 protected:
  // The payload ends at the vector's end: ASan sees who reads beyond.
  bool Copy(uint32_t nr) {
    return CopyArguments(nr, args_, offsets_, inbound_.data(), absl::MakeSpan(buffer_), copies_);
  }
  void PutString(size_t argument, uint16_t offset, const std::string& text) {
    memcpy(inbound_.data() + offset, text.c_str(), text.size() + 1);
    offsets_[argument] = static_cast<uint16_t>(offset + 1);
  }

  std::vector<char> inbound_ = std::vector<char>(kCopiesSize);
  std::vector<char> buffer_ = std::vector<char>(kCopiesSize);
  uint64_t args_[6] = {};
  uint16_t offsets_[6] = {};
  std::string_view copies_[6];
};

TEST_F(ArgumentsTest, CopiesNothingWhereNothingWasCopied) {
  ASSERT_TRUE(Copy(SYS_renameat));
  for (const std::string_view copy : copies_) EXPECT_EQ(copy.data(), nullptr);
}

TEST_F(ArgumentsTest, CopiesPathsWithoutTheirNul) {
  PutString(1, 0, "old name");
  PutString(3, 16, "");
  ASSERT_TRUE(Copy(SYS_renameat));
  EXPECT_EQ(copies_[1], "old name");
  EXPECT_EQ(copies_[3], "");
  EXPECT_NE(copies_[3].data(), nullptr);
  // Of the server's own: what the guest does now changes nothing.
  std::fill(inbound_.begin(), inbound_.end(), 'x');
  EXPECT_EQ(copies_[1], "old name");
}

TEST_F(ArgumentsTest, CopiesPathsOfEveryLength) {
  for (const size_t length : {1u, 127u, 128u, 129u, 4094u, 4095u}) {
    PutString(0, 0, std::string(length, 'p'));
    ASSERT_TRUE(Copy(SYS_chdir)) << length;
    EXPECT_EQ(copies_[0].size(), length);
  }
}

TEST_F(ArgumentsTest, RefusesPathsWithoutAnEnd) {
  std::fill(inbound_.begin(), inbound_.end(), 'x');
  for (const uint16_t offset : {1, 5000, 8192}) {
    offsets_[0] = offset;
    EXPECT_FALSE(Copy(SYS_chdir)) << offset;
  }
  inbound_[4096] = 0;  // one byte more than PATH_MAX
  offsets_[0] = 1;
  EXPECT_FALSE(Copy(SYS_chdir));
}

TEST_F(ArgumentsTest, CopiesStructuresAndCountedBuffers) {
  for (size_t i = 0; i < inbound_.size(); ++i) inbound_[i] = static_cast<char>(i);
  offsets_[0] = 9;
  ASSERT_TRUE(Copy(SYS_nanosleep));
  EXPECT_EQ(copies_[0], std::string_view(inbound_.data() + 8, 16));

  memset(offsets_, 0, sizeof(offsets_));
  offsets_[1] = 1;
  args_[2] = 100;
  ASSERT_TRUE(Copy(SYS_write));
  EXPECT_EQ(copies_[1], std::string_view(inbound_.data(), 100));
  args_[2] = kCopiesSize;
  EXPECT_TRUE(Copy(SYS_write));
  for (const uint64_t size : {uint64_t{0}, kCopiesSize + 1, ~uint64_t{0}, uint64_t{1} << 63}) {
    args_[2] = size;
    EXPECT_FALSE(Copy(SYS_write)) << size;
  }
}

TEST_F(ArgumentsTest, RefusesWhatIsNoCopyOfAnything) {
  offsets_[0] = 1;
  EXPECT_FALSE(Copy(SYS_close)) << "a number";
  EXPECT_FALSE(Copy(SYS_getpid)) << "an argument that does not exist";
  EXPECT_FALSE(Copy(1023)) << "a call that does not exist";
  offsets_[0] = 0;
  offsets_[1] = 1;
  EXPECT_FALSE(Copy(SYS_read)) << "a result";
  offsets_[1] = kCopiesSize + 1;
  args_[2] = 1;
  EXPECT_FALSE(Copy(SYS_write)) << "beyond the half of the payload";
}

TEST_F(ArgumentsTest, StaysInItsMemoryWhateverTheGuestSays) {
  std::mt19937_64 random(20191109);
  for (int round = 0; round < 20000; ++round) {
    for (uint64_t& arg : args_) arg = random() >> (random() % 64);
    for (uint16_t& offset : offsets_) offset = random() % 3 == 0 ? 0 : static_cast<uint16_t>(random());
    inbound_[random() % kCopiesSize] = static_cast<char>(random() % 2);
    const uint32_t nr = static_cast<uint32_t>(random() % syscall::kNumbers);
    if (!Copy(nr)) continue;
    for (const std::string_view copy : copies_) {
      if (copy.data() == nullptr) continue;
      ASSERT_GE(copy.data(), buffer_.data());
      ASSERT_LE(copy.data() + copy.size(), buffer_.data() + buffer_.size());
    }
  }
}

}  // namespace
}  // namespace guise::server
