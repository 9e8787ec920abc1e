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
const Code kMove = {0x89, 0xc2};    // mov %eax,%edx
const Code kNegate = {0xf7, 0xda};  // neg %edx
const Code kReturn = {0xc3};
const Code kLongNop = {0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};
const Code kOwnAddress = {0x48, 0x8b, 0x15, 1, 2, 3, 0};  // mov 0x30201(%rip),%rdx

TEST(SitePlanTest, AJumpHasRoomInALongNopThatIsNotComeTo) {
  EXPECT_EQ(LookAround({Join({kCall, kOwnAddress, kReturn, kLongNop, kReturn}), 0}).jump_at, 2u + 7 + 1 + 4);
  EXPECT_EQ(LookAround({Join({kCall, kOwnAddress, {0xeb, 0x09}, kLongNop, kReturn}), 0}).jump_at, 2u + 7 + 2 + 4);
  EXPECT_EQ(LookAround({Join({kCall, kOwnAddress, kLongNop, kReturn}), 0}).jump_at, 0u) << "it is on the way";
  EXPECT_EQ(LookAround({Join({kCall, kOwnAddress, {0x75, 0x09}, kLongNop, kReturn}), 0}).jump_at, 0u) << "sometimes";
  EXPECT_EQ(LookAround({Join({kReturn, kLongNop, kCall, kOwnAddress, kReturn}), 10}).jump_at, 0u) << "in front";
  Code taken = kLongNop;
  taken[5] = 0xe9;
  EXPECT_EQ(LookAround({Join({kCall, kOwnAddress, kReturn, taken, kReturn}), 0}).jump_at, 0u);
  const auto at_distance = [](size_t distance) {
    return LookAround({Join({kCall, Code(distance, 0x90), kReturn, kLongNop}), 0}).jump_at;
  };
  EXPECT_EQ(at_distance(122), 2u + 122 + 1 + 4) << "as far as a short jump leads";
  EXPECT_EQ(at_distance(123), 0u);
}

TEST(SitePlanTest, AnInstructionInFrontOfACallTakesAJump) {
  const Code number = {0xb8, 0x0e, 0, 0, 0};
  const auto ahead = [](std::initializer_list<Code> front) {
    const Code before = Join(front);
    return LookAround({Join({before, kCall, kMove, kReturn}), before.size()}).ahead;
  };
  EXPECT_EQ(ahead({number}), 5u);
  EXPECT_EQ(ahead({number, kMove, {0x66, 0x90}}), 9u);
  EXPECT_EQ(ahead({number, number}), 5u) << "the nearest";
  EXPECT_EQ(ahead({number, kOwnAddress, kMove}), 0u);
  EXPECT_EQ(ahead({number, kCall}), 0u) << "another call";
  EXPECT_EQ(ahead({number, {0x75, 0x00}}), 0u) << "jne";
  EXPECT_EQ(ahead({{0xe8, 0, 0, 0, 0}, kMove}), 0u) << "call";
  EXPECT_EQ(ahead({kMove, kMove, kMove}), 0u) << "short ones";
  EXPECT_EQ(ahead({number, Code(kMostAhead - 5, 0x90)}), kMostAhead);
  EXPECT_EQ(ahead({number, Code(kMostAhead - 4, 0x90)}), 0u);
  EXPECT_EQ(ahead({}), 0u);
  EXPECT_EQ(LookAround({Join({{0xe9, 0, 0, 0}, {0xb8, 0x0e, 0, 0, 0}, kCall, kReturn}), 9}).ahead, 0u) << "not met";
}

TEST(SitePlanTest, PaddingBetweenFunctionsTakesAJump) {
  const Code nop_of_two = {0x66, 0x90};
  EXPECT_EQ(JumpInGap(kLongNop), 0u);
  EXPECT_EQ(JumpInGap(Join({nop_of_two, kLongNop})), 2u) << "the shim does not know short ones";
  EXPECT_EQ(JumpInGap(Join({kLongNop, nop_of_two})), 0u);
  EXPECT_EQ(JumpInGap({0x0f, 0x1f, 0x44, 0, 0}), 0u);
  for (const Code& none : {Code{}, Code{0x0f, 0x1f, 0x40, 0}, Join({nop_of_two, nop_of_two, nop_of_two}),
                           Join({kLongNop, kReturn}), Code(8, 0xcc), Code(8, 0)}) {
    EXPECT_EQ(JumpInGap(none), none.size());
  }
}

TEST(SitePlanTest, PaddingThatIsComeToTakesAJumpInItsNopAlone) {
  const Code nop_of_two = {0x66, 0x90};
  EXPECT_EQ(JumpInNop(kLongNop), kLongNop.size() - kJumpSize);
  EXPECT_EQ(JumpInNop(Join({nop_of_two, kLongNop})), 2 + kLongNop.size() - kJumpSize);
  for (const Code& none : {Code{}, Code{0x0f, 0x1f, 0x44, 0, 0}, Join({nop_of_two, nop_of_two, nop_of_two}),
                           Join({kReturn, kLongNop}), Code(8, 0x90)}) {
    EXPECT_EQ(JumpInNop(none), none.size());
  }
}

TEST(SitePlanTest, AFunctionMayGoOnInTheNext) {
  EXPECT_TRUE(EndsItsPath(kReturn));
  EXPECT_TRUE(EndsItsPath(Join({kMove, {0xeb, 0xfc}})));
  EXPECT_TRUE(EndsItsPath(Code{0x0f, 0x0b})) << "ud2";
  EXPECT_FALSE(EndsItsPath(kMove));
  EXPECT_FALSE(EndsItsPath(Code{0x75, 0xfe})) << "jne";
  EXPECT_FALSE(EndsItsPath(Code{0xe8, 0, 0, 0, 0})) << "a call may return";
  EXPECT_FALSE(EndsItsPath(Join({kReturn, {0x06}}))) << "not code";
  EXPECT_FALSE(EndsItsPath(Code{}));
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
  int sites = 0, jumps = 0;
  for (size_t at = bytes.find("\x0f\x05"); at != std::string::npos && at + 8 <= bytes.size();
       at = bytes.find("\x0f\x05", at + 1)) {
    uint64_t there;
    bytes.copy(reinterpret_cast<char*>(&there), sizeof(there), at);
    const std::optional<uint32_t> plan = text->PlanOf(at, there);
    if (!plan.has_value()) continue;
    ++sites;
    const uint32_t jump_at = wire::BookJumpAt(*plan);
    if (jump_at == 0) continue;
    ++jumps;
    // Nothing but nops is there, whole or an operand.
    const std::string under = bytes.substr(at + jump_at, kJumpSize);
    EXPECT_TRUE(under == std::string(kJumpSize, '\0') || under[0] == '\x0f' || under[0] == '\x66') << at;
    EXPECT_LE(jump_at, kCallSize + kFarthestJump) << at;
  }
  EXPECT_GT(sites, 100);
  EXPECT_GT(jumps, sites / 4);
}

}  // namespace
}  // namespace guise::server
