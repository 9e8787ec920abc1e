// What the text around a call site can take, read as a processor would, and proven by the file.
#include "server/sites/site_plan.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/wire/book.h"
#include "server/sites/elf_text.h"

namespace guise::server {
namespace {

using Code = std::vector<uint8_t>;

Code Join(std::initializer_list<Code> parts) {
  Code all;
  for (const Code& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

const Code kCall = {0x0f, 0x05};
const Code kMove = {0x89, 0xc2};                          // mov %eax,%edx
const Code kOwnAddress = {0x48, 0x8b, 0x15, 1, 2, 3, 0};  // mov 0x30201(%rip),%rdx

TEST(SitePlanTest, AnInstructionInFrontOfACallTakesAJump) {
  const Code number = {0xb8, 0x0e, 0, 0, 0};
  const auto ahead = [](std::initializer_list<Code> front) { return AheadOf(Join(front)); };
  EXPECT_EQ(ahead({number}), 5u);
  EXPECT_EQ(ahead({number, kMove, {0x66, 0x90}}), 9u);
  EXPECT_EQ(ahead({number, number}), 5u) << "the nearest";
  EXPECT_EQ(ahead({number, {0x8b, 0x97, 0, 1, 0, 0}}), 11u) << "mov 256(%rdi),%edx may fault";
  EXPECT_EQ(ahead({{0x68, 0, 1, 0, 0}, {0x58}}), 0u) << "so may push; pop";
  EXPECT_EQ(ahead({number, kOwnAddress, kMove}), 0u);
  EXPECT_EQ(ahead({number, kCall}), 0u) << "another call";
  EXPECT_EQ(ahead({number, {0xcd, 0x80}}), 0u) << "int $0x80";
  EXPECT_EQ(ahead({number, {0x75, 0x00}}), 0u) << "jne";
  EXPECT_EQ(ahead({{0xe8, 0, 0, 0, 0}, kMove}), 0u) << "call";
  EXPECT_EQ(ahead({kMove, kMove, kMove}), 0u) << "short ones";
  EXPECT_EQ(ahead({number, Code(wire::kBookMostAhead - 5, 0x90)}), wire::kBookMostAhead);
  EXPECT_EQ(ahead({number, Code(wire::kBookMostAhead - 4, 0x90)}), 0u);
  EXPECT_EQ(ahead({}), 0u);
  EXPECT_EQ(ahead({{0x06}, number}), std::nullopt) << "not code";
  EXPECT_EQ(ahead({number, {0xb8, 0x0e}}), std::nullopt) << "the call is within an instruction";
}

TEST(SitePlanTest, ASiteIsHardWhereNoOneInstructionBehindItCanMove) {
  EXPECT_FALSE(IsHard(Code{0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff})) << "cmp $-4095,%rax";
  EXPECT_TRUE(IsHard(kMove)) << "short";
  EXPECT_TRUE(IsHard(kOwnAddress));
  EXPECT_TRUE(IsHard(Code{0x0f, 0x84, 0, 1, 0, 0})) << "je";
  EXPECT_TRUE(IsHard(Code{0x06})) << "not code";
  EXPECT_TRUE(IsHard(Code{}));
}

// The C library's own brk(2), whose next instruction names its own address; and sigprocmask(2), behind whose call two
// short ones stand.
TEST(SitePlanTest, TheCLibrarysOwnHardSitesHaveAWay) {
  const std::string path = "/lib/x86_64-linux-gnu/libc.so.6";
  struct stat status = {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  absl::StatusOr<ElfText> text = ElfText::Open(path, IdentityOf(status));
  ASSERT_TRUE(text.ok()) << text.status();
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  int sites = 0, hard = 0, ways = 0;
  for (size_t at = bytes.find("\x0f\x05"); at != std::string::npos && at + 8 <= bytes.size();
       at = bytes.find("\x0f\x05", at + 1)) {
    uint64_t there;
    bytes.copy(reinterpret_cast<char*>(&there), sizeof(there), at);
    const std::optional<uint32_t> plan = text->PlanOf(at, there);
    if (!plan.has_value()) continue;
    ++sites;
    const std::string behind = bytes.substr(at + kCallSize, 16);
    if (!IsHard(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(behind.data()), behind.size()))) continue;
    ++hard;
    ways += *plan != 0;
  }
  EXPECT_GT(sites, 100);
  EXPECT_GT(ways * 10, hard * 9) << "of " << hard;
}

}  // namespace
}  // namespace guise::server
