#include "shim/filter/bpf.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <vector>

namespace guise::shim {
namespace {

using Program = std::vector<sock_filter>;

// Whether the kernel takes it, asked in a child.
bool KernelTakes(const Program& program) {
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const sock_fprog all = {static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
    // A listener is not asked for, so nothing but the program can be wrong. What follows may be killed by the filter.
    const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all);
    _exit(result == 0 ? 1 : errno == EINVAL ? 2 : 3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}

uint32_t WordOf(const Program& program, const seccomp_data& data = {}) {
  EXPECT_TRUE(IsGoodFilter(program.data(), static_cast<uint32_t>(program.size())));
  return RunFilter(program.data(), data);
}

sock_filter Return(uint32_t value) { return BPF_STMT(BPF_RET | BPF_K, value); }

TEST(BpfTest, ReadsTheCall) {
  seccomp_data data = {};
  data.nr = 57;
  data.arch = AUDIT_ARCH_X86_64;
  data.instruction_pointer = 0x123456789abc;
  data.args[5] = 0xfedcba9876543210;
  const auto word = [&](uint32_t offset) {
    return WordOf({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset), BPF_STMT(BPF_RET | BPF_A, 0)}, data);
  };
  EXPECT_EQ(word(0), 57u);
  EXPECT_EQ(word(4), uint32_t{AUDIT_ARCH_X86_64});
  EXPECT_EQ(word(8), 0x56789abcu);
  EXPECT_EQ(word(12), 0x1234u);
  EXPECT_EQ(word(56), 0x76543210u);
  EXPECT_EQ(word(60), 0xfedcba98u);
}

TEST(BpfTest, CountsAsTheKernelDoes) {
  const auto alu = [](uint16_t operation, uint32_t a, uint32_t b) {
    return WordOf({BPF_STMT(BPF_LDX | BPF_IMM, b), BPF_STMT(BPF_LD | BPF_IMM, a),
                   BPF_STMT(static_cast<uint16_t>(BPF_ALU | operation | BPF_X), 0), BPF_STMT(BPF_RET | BPF_A, 0)});
  };
  EXPECT_EQ(alu(BPF_ADD, 7, 0xffffffff), 6u);
  EXPECT_EQ(alu(BPF_SUB, 3, 5), 0xfffffffeu);
  EXPECT_EQ(alu(BPF_MUL, 0x10000, 0x10001), 0x10000u);
  EXPECT_EQ(alu(BPF_DIV, 100, 7), 14u);
  EXPECT_EQ(alu(BPF_DIV, 100, 0), 0u) << "ends the filter";
  EXPECT_EQ(alu(BPF_AND, 0xff0, 0x0ff), 0x0f0u);
  EXPECT_EQ(alu(BPF_OR, 0xf00, 0x00f), 0xf0fu);
  EXPECT_EQ(alu(BPF_XOR, 0xff0, 0x0ff), 0xf0fu);
  EXPECT_EQ(alu(BPF_LSH, 1, 31), 0x80000000u);
  EXPECT_EQ(alu(BPF_RSH, 0x80000000, 31), 1u);
  EXPECT_EQ(WordOf({BPF_STMT(BPF_LD | BPF_IMM, 5), BPF_STMT(BPF_ALU | BPF_NEG, 0), BPF_STMT(BPF_RET | BPF_A, 0)}),
            0xfffffffbu);
}

TEST(BpfTest, Jumps) {
  const auto taken = [](uint16_t operation, uint32_t a, uint32_t b) {
    return WordOf({BPF_STMT(BPF_LD | BPF_IMM, a), BPF_JUMP(static_cast<uint16_t>(BPF_JMP | operation | BPF_K), b, 1, 0),
                   Return(0), Return(1)}) == 1;
  };
  EXPECT_TRUE(taken(BPF_JEQ, 4, 4));
  EXPECT_FALSE(taken(BPF_JEQ, 4, 5));
  EXPECT_TRUE(taken(BPF_JGT, 0xffffffff, 1)) << "unsigned";
  EXPECT_FALSE(taken(BPF_JGT, 4, 4));
  EXPECT_TRUE(taken(BPF_JGE, 4, 4));
  EXPECT_TRUE(taken(BPF_JSET, 6, 2));
  EXPECT_FALSE(taken(BPF_JSET, 4, 2));
  EXPECT_EQ(WordOf({BPF_STMT(BPF_JMP | BPF_JA, 1), Return(0), Return(9)}), 9u);
}

TEST(BpfTest, KeepsScratchMemory) {
  EXPECT_EQ(WordOf({BPF_STMT(BPF_LD | BPF_IMM, 42), BPF_STMT(BPF_ST, 15), BPF_STMT(BPF_LD | BPF_IMM, 0),
                    BPF_STMT(BPF_LDX | BPF_MEM, 15), BPF_STMT(BPF_MISC | BPF_TXA, 0), BPF_STMT(BPF_RET | BPF_A, 0)}),
            42u);
}

// Random programs of few instructions: ours and the kernel's judgement agree.
TEST(BpfTest, AcceptsWhatTheKernelAccepts) {
  const uint16_t codes[] = {BPF_LD | BPF_W | BPF_ABS,
                            BPF_LD | BPF_H | BPF_ABS,
                            BPF_LD | BPF_W | BPF_IND,
                            BPF_LD | BPF_MEM,
                            BPF_LDX | BPF_MEM,
                            BPF_LDX | BPF_B | BPF_MSH,
                            BPF_ST,
                            BPF_STX,
                            BPF_LD | BPF_IMM,
                            BPF_ALU | BPF_DIV | BPF_K,
                            BPF_ALU | BPF_MOD | BPF_K,
                            BPF_ALU | BPF_LSH | BPF_K,
                            BPF_ALU | BPF_XOR | BPF_X,
                            BPF_JMP | BPF_JA,
                            BPF_JMP | BPF_JEQ | BPF_K,
                            BPF_JMP | BPF_JSET | BPF_X,
                            BPF_RET | BPF_K,
                            BPF_RET | BPF_A,
                            BPF_RET | BPF_X,
                            BPF_MISC | BPF_TAX,
                            0xffff};
  const uint32_t operands[] = {0, 1, 2, 3, 4, 15, 16, 31, 32, 60, 64, 0xffffffff};
  std::mt19937 random(1);
  int good = 0;
  for (int round = 0; round < 1500; ++round) {
    Program program(1 + random() % 6);
    for (sock_filter& at : program) {
      at = {codes[random() % std::size(codes)], static_cast<uint8_t>(random() % 4), static_cast<uint8_t>(random() % 4),
            operands[random() % std::size(operands)]};
    }
    if (random() % 4 != 0) program.back() = Return(SECCOMP_RET_ALLOW);
    const bool taken = IsGoodFilter(program.data(), static_cast<uint32_t>(program.size()));
    ASSERT_EQ(taken, KernelTakes(program)) << "round " << round;
    good += taken ? 1 : 0;
  }
  EXPECT_GT(good, 50) << "the programs are too bad to show anything";
  EXPECT_FALSE(IsGoodFilter(nullptr, 0));
  EXPECT_TRUE(IsGoodFilter(Program(BPF_MAXINSNS, Return(0)).data(), BPF_MAXINSNS));
  EXPECT_FALSE(IsGoodFilter(Program(BPF_MAXINSNS + 1, Return(0)).data(), BPF_MAXINSNS + 1));
}

}  // namespace
}  // namespace guise::shim
