#include "shim/rewrite/moved.h"

#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace guise::shim {
namespace {

class Decoder {
 public:
  Decoder() { ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }

  // The size of an instruction that may be moved; 0: invalid, a branch, or relative to its address.
  size_t MovableSize(const uint8_t* code, size_t size) const {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder_, code, size, &instruction, operands))) return 0;
    if ((instruction.attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0) return 0;
    if (instruction.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE) return 0;
    switch (instruction.meta.category) {
      case ZYDIS_CATEGORY_CALL:
      case ZYDIS_CATEGORY_RET:
      case ZYDIS_CATEGORY_COND_BR:
      case ZYDIS_CATEGORY_UNCOND_BR:
      case ZYDIS_CATEGORY_INTERRUPT:
      case ZYDIS_CATEGORY_SYSCALL:
      case ZYDIS_CATEGORY_SYSTEM:
        return 0;
      default:
        return instruction.length;
    }
  }

  size_t NopSize(const uint8_t* code, size_t size) const {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder_, code, size, &instruction, operands))) return 0;
    return instruction.mnemonic == ZYDIS_MNEMONIC_NOP ? instruction.length : 0;
  }

 private:
  ZydisDecoder decoder_;
};

TEST(MovedTest, KnowsWhatFollowsCallsInCLibraries) {
  const struct {
    std::vector<uint8_t> code;
    size_t size;
  } kCases[] = {
      {{0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff}, 6},            // cmp $-4096,%rax
      {{0x3d, 0x01, 0xf0, 0xff, 0xff}, 5},                  // cmp $-4095,%eax
      {{0x48, 0x83, 0xf8, 0xfc}, 4},                        // cmp $-4,%rax
      {{0x48, 0x89, 0xc3}, 3},                              // mov %rax,%rbx
      {{0x41, 0x89, 0xc4}, 3},                              // mov %eax,%r12d
      {{0x48, 0x8b, 0x54, 0x24, 0x18}, 5},                  // mov 0x18(%rsp),%rdx
      {{0x48, 0x89, 0x44, 0x24, 0x08}, 5},                  // mov %rax,8(%rsp)
      {{0x48, 0x85, 0xc0}, 3},                              // test %rax,%rax
      {{0x48, 0x63, 0xd8}, 3},                              // movslq %eax,%rbx
      {{0x0f, 0x1f, 0x80, 0, 0, 0, 0}, 7},                  // nopl 0(%rax), behind rt_sigreturn
      {{0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, 10},  // nopw %cs:0(%rax,%rax)
  };
  for (const auto& c : kCases) EXPECT_EQ(MovableSize(c.code.data(), c.code.size(), 3), c.size);
}

TEST(MovedTest, LeavesBranchesAndOwnAddressesAlone) {
  const std::vector<uint8_t> kCases[] = {
      {0xc3, 0, 0, 0, 0, 0, 0, 0},                       // ret
      {0xe8, 0, 0, 0, 0, 0, 0, 0},                       // call
      {0x74, 0x10, 0, 0, 0, 0, 0, 0},                    // je
      {0x0f, 0x05, 0, 0, 0, 0, 0, 0},                    // syscall
      {0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0},              // mov 0x10(%rip),%rax
      {0x48, 0x8d, 0x3d, 0x10, 0, 0, 0, 0},              // lea 0x10(%rip),%rdi
      {0xff, 0xd0, 0, 0, 0, 0, 0, 0},                    // call *%rax
      {0x48, 0xb8, 1, 2, 3, 4, 5, 6},                    // cut off
      {0x85, 0xc0, 0x75, 0x10, 0, 0, 0, 0},              // test %eax,%eax: too short
      {0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc},  // int3
      {0xf4, 0, 0, 0, 0, 0, 0, 0},                       // hlt
      {0xf3, 0x0f, 0x1e, 0xfa, 0, 0, 0, 0},              // endbr64
  };
  for (const auto& code : kCases) EXPECT_EQ(MovableSize(code.data(), code.size(), 3), 0u) << int{code[0]};
}

TEST(MovedTest, FindsRoomInTheNopBehindAReturn) {
  const std::vector<uint8_t> eight = {0xc3, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};
  const std::vector<uint8_t> ten = {0xc3, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};
  EXPECT_EQ(JumpInNop(eight.data(), eight.size()), 4u);
  EXPECT_EQ(JumpInNop(ten.data(), ten.size()), 6u);
  EXPECT_EQ(JumpInNop(eight.data(), eight.size() - 1), 0u) << "cut off";
  EXPECT_EQ(JumpInNop(eight.data() + 1, eight.size() - 1), 0u) << "no return in front";
}

// And the nop stays what it is: an instruction of the same size that does nothing.
TEST(MovedTest, ANopWithAJumpInItIsANop) {
  const Decoder decoder;
  std::mt19937_64 random(1);
  for (int round = 0; round < 100000; ++round) {
    uint8_t code[] = {0xc3, 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};
    const size_t at = JumpInNop(code, sizeof(code));
    ASSERT_EQ(at, 5u);
    const auto distance = static_cast<uint32_t>(random());
    code[at] = 0xe9;
    memcpy(code + at + 1, &distance, sizeof(distance));
    ASSERT_EQ(decoder.NopSize(code + 1, sizeof(code) - 1), sizeof(code) - 1);
  }
}

TEST(MovedTest, AllInFrontOfACallMoveWhereTheFirstTakesAJump) {
  const auto all = [](const std::vector<uint8_t>& code) { return AllMove(code.data(), code.size()); };
  EXPECT_TRUE(all({0xb8, 0x0e, 0, 0, 0})) << "mov $14,%eax";
  EXPECT_TRUE(all({0xba, 0x3c, 0, 0, 0, 0x66, 0x90, 0x31, 0xff, 0x89, 0xd0})) << "mov; nop; xor; mov";
  EXPECT_TRUE(all({0xb8, 0x0e, 0, 0, 0, 0x48, 0xc7, 0x04, 0x24, 0x20, 0, 0, 0})) << "mov; movq $32,(%rsp)";
  EXPECT_TRUE(all({0x48, 0x8d, 0x94, 0x24, 0x80, 0, 0, 0, 0x90})) << "lea 128(%rsp),%rdx; nop";
  EXPECT_TRUE(all({0x66, 0x0f, 0x1f, 0x44, 0, 0, 0x90})) << "nopw 0(%rax,%rax,1); nop";
  EXPECT_FALSE(all({0x48, 0xc7, 0x04, 0x24, 0x20, 0, 0, 0, 0x90})) << "movq $32,(%rsp); nop";
  EXPECT_FALSE(all({0x89, 0xd0, 0xb8, 0x0e, 0, 0, 0})) << "a short one first";
  EXPECT_FALSE(all({0xb8, 0x0e, 0, 0, 0, 0xc3})) << "ret";
  EXPECT_FALSE(all({0xb8, 0x0e, 0, 0, 0, 0x0f, 0x05})) << "another call";
  EXPECT_FALSE(all({0x48, 0x8d, 0x3d, 0, 1, 0, 0})) << "lea 256(%rip),%rdi";
  EXPECT_FALSE(all({0xb8, 0x0e, 0, 0})) << "cut off";
  EXPECT_FALSE(all({0xe9, 1, 2, 3, 4})) << "another's jump";
  EXPECT_FALSE(all({}));
}

// Whatever the bytes, an answer is the full decoder's.
TEST(MovedTest, AgreesWithAFullDecoder) {
  const Decoder decoder;
  std::mt19937_64 random(20261127);
  uint64_t known = 0;
  for (int round = 0; round < 4000000; ++round) {
    uint8_t code[16];
    const uint64_t low = random();
    const uint64_t high = random();
    for (int i = 0; i < 8; ++i) {
      code[i] = static_cast<uint8_t>(low >> (8 * i));
      code[i + 8] = static_cast<uint8_t>(high >> (8 * i));
    }
    // REX prefixes as often as not: they are 16 of 256 otherwise.
    if ((round & 1) != 0) code[0] = static_cast<uint8_t>(0x40 | (code[0] & 0x0f));
    const size_t size = MovableSize(code, sizeof(code), 1);
    if (size == 0) continue;
    ++known;
    ASSERT_EQ(size, decoder.MovableSize(code, sizeof(code)))
        << std::hex << int{code[0]} << ' ' << int{code[1]} << ' ' << int{code[2]} << ' ' << int{code[3]};
  }
  EXPECT_GT(known, 500000u);
}

}  // namespace
}  // namespace guise::shim
