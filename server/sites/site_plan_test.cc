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

TEST(SitePlanTest, TheSecondInstructionMayMoveWhereNothingLeadsToIt) {
  EXPECT_EQ(LookAround({Join({kCall, kMove, kNegate, kReturn}), 0}).second, 4u);
  EXPECT_EQ(LookAround({Join({{0x90}, kCall, kMove, kNegate, kReturn}), 1}).second, 5u);
  // Behind it, in front of it, and by a table.
  EXPECT_EQ(LookAround({Join({kCall, kMove, kNegate, {0xeb, 0xfc}}), 0}).second, 0u) << "jmp -4";
  EXPECT_EQ(LookAround({Join({{0x75, 0x04}, kCall, kMove, kNegate, kReturn}), 2}).second, 0u) << "jne +4";
  EXPECT_EQ(LookAround({Join({kCall, kMove, kNegate, {0xff, 0xe0}}), 0}).second, 0u) << "jmp *%rax";
  EXPECT_EQ(LookAround({Join({{0xe8, 4, 0, 0, 0}, kCall, kMove, kNegate, kReturn}), 5}).second, 0u) << "call +4";
  EXPECT_EQ(LookAround({Join({kCall, kMove, kNegate, {0xff, 0xd0}, kReturn}), 0}).second, 4u) << "call *%rax";
  EXPECT_EQ(LookAround({Join({kCall, kMove, kNegate, {0x74, 0x40}, kReturn}), 0}).second, 0u) << "a part elsewhere";
  EXPECT_EQ(LookAround({Join({kCall, {0x31, 0xc0}, kNegate, kReturn}), 0}).second, 4u) << "xor %eax,%eax";
  // Nothing else may be done twice.
  EXPECT_EQ(LookAround({Join({kCall, {0x31, 0xd0}, kNegate, kReturn}), 0}).second, 0u) << "xor %edx,%eax";
  EXPECT_EQ(LookAround({Join({kCall, kNegate, kMove, kReturn}), 0}).second, 0u);
  EXPECT_EQ(LookAround({Join({kCall, {0x89, 0x02}, kNegate, kReturn}), 0}).second, 0u) << "mov %eax,(%rdx)";
  // What is not code tells nothing.
  EXPECT_EQ(LookAround({Join({kCall, kMove, kNegate, kReturn, {0x06}}), 0}).second, 0u);
}

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

TEST(SitePlanTest, WhatReadsAsABranchMayLeadThere) {
  constexpr uint64_t kStart = 0x1000;
  // Into a function far behind, or far in front.
  const auto may_lead = [](const Code& code, uint64_t target) {
    return MayLeadInto(code, kStart, {target - 1, target + 1}, [](uint64_t) { return true; });
  };
  EXPECT_TRUE(may_lead({0x90, 0xeb, 0x10}, kStart + 3 + 0x10));
  EXPECT_TRUE(may_lead({0x90, 0x74, 0xf0}, kStart + 3 - 0x10));
  EXPECT_TRUE(may_lead({0xe3, 0x10}, kStart + 2 + 0x10)) << "jrcxz";
  EXPECT_TRUE(may_lead({0xe8, 0, 1, 0, 0}, kStart + 5 + 0x100));
  EXPECT_TRUE(may_lead({0xe9, 0, 0xff, 0xff, 0xff}, kStart + 5 - 0x100));
  EXPECT_TRUE(may_lead({0x0f, 0x84, 0, 1, 0, 0}, kStart + 6 + 0x100));
  EXPECT_TRUE(may_lead({0xc7, 0xf8, 0, 1, 0, 0}, kStart + 6 + 0x100)) << "xbegin";
  EXPECT_FALSE(may_lead({0xe9, 0, 1, 0, 0}, kStart + 5 + 0x101)) << "to its beginning, as calls do";
  EXPECT_FALSE(may_lead({0xe9, 0, 1, 0, 0}, kStart + 3 + 0x100));
  EXPECT_FALSE(may_lead({0x3d, 0, 1, 0, 0}, kStart + 5 + 0x100)) << "cmp";
  EXPECT_FALSE(may_lead({0xe9, 0, 1, 0}, kStart + 5 + 0x100)) << "cut off";
  EXPECT_FALSE(may_lead({}, kStart));
  const auto any = [](uint64_t) { return true; };
  EXPECT_FALSE(MayLeadInto(Code{0x90, 0xeb, 0xfe}, kStart, {kStart, kStart + 3}, any)) << "from within";
  const auto none_there = [](uint64_t address) { return address != kStart + 1; };
  EXPECT_FALSE(MayLeadInto(Code{0x90, 0xeb, 0x10}, kStart, {kStart + 18, kStart + 20}, none_there));
  EXPECT_TRUE(MayLeadInto(Code{0x90, 0x90, 0xeb, 0x0f}, kStart, {kStart + 18, kStart + 20}, none_there));
}

TEST(SitePlanTest, WhatIsInTheMiddleOfAnotherInstructionIsNoBranch) {
  const Code lea = {0x48, 0x8d, 0x0d, 0x7d, 0x38, 0x11, 0x00};  // "jge" in its displacement
  EXPECT_TRUE(IsOfNoBranch(Join({kMove, lea, kReturn}), kMove.size() + 3));
  EXPECT_FALSE(IsOfNoBranch(Join({kMove, {0x7d, 0x38}, kReturn}), kMove.size()));
  EXPECT_FALSE(IsOfNoBranch(Join({kMove, {0x3e, 0x7d, 0x38}, kReturn}), kMove.size() + 1)) << "with a prefix";
  EXPECT_FALSE(IsOfNoBranch(Join({lea, {0x06}}), 3)) << "not code";
  EXPECT_FALSE(IsOfNoBranch(lea, lea.size())) << "not of the function";
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
