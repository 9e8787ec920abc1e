// Every stub that a C library's call sites would get, taken apart instruction by instruction by a full decoder.
#include "shim/rewrite/stub_code.h"

#include <Zydis/Zydis.h>
#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "proto/wire/book.h"
#include "shim/arch/x86_64/offsets.h"
#include "shim/rewrite/moved.h"

namespace guise::shim {
namespace {

struct Instruction {
  ZydisDecodedInstruction head;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  uint64_t at;

  std::optional<uint64_t> Target() const {
    for (int i = 0; i < head.operand_count; ++i) {
      uint64_t address = 0;
      if (ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&head, &operands[i], at, &address))) return address;
    }
    return std::nullopt;
  }
  uint64_t end() const { return at + head.length; }
};

class Decoder {
 public:
  Decoder() { ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }
  bool Decode(const uint8_t* code, size_t size, uint64_t at, Instruction* instruction) const {
    instruction->at = at;
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, code, size, &instruction->head, instruction->operands));
  }

 private:
  ZydisDecoder decoder_;
};

constexpr uint64_t kGate = 0x7f0000010000;
constexpr uint64_t kDirectGate = 0x7f0000010400;
constexpr uint64_t kNearCode = 0x7f0000100018;
constexpr uint64_t kFarCall = 0x7f0000020000;
constexpr uint32_t kIndex = 4321;
constexpr uint8_t kFront[wire::kBookMostAhead] = {0xba, 0x3c, 0, 0, 0, 0x31, 0xff};

// Holds a stub against the contract in stub_code.h.
void CheckStub(const Decoder& decoder, const StubPlan& plan) {
  uint8_t bytes[kMaxStub];
  const size_t size = AssembleStub(plan, bytes);
  ASSERT_GT(size, sizeof(StubHead));
  StubHead head;
  memcpy(&head, bytes, sizeof(head));
  EXPECT_EQ(head.after, plan.after);
  EXPECT_EQ(head.index, plan.index);
  EXPECT_EQ(head.size, size);
  const uint8_t* const code = bytes + sizeof(head);
  const uint64_t body = plan.code + head.body_at;
  const bool far = plan.far_call != 0;
  const auto constant = [&](uint64_t address) {
    uint64_t value = 0;
    EXPECT_TRUE(address >= plan.code && address + 8 <= plan.code + size - sizeof(head));
    memcpy(&value, code + (address - plan.code), sizeof(value));
    return value;
  };

  bool gate = false;
  bool call = false;
  bool direct = false;
  bool told_where = false;
  EXPECT_EQ(head.ahead, plan.ahead);
  EXPECT_EQ(memcmp(code, plan.front, plan.ahead), 0);
  uint64_t at = plan.code + plan.ahead;
  while (at < body) {
    Instruction i;
    ASSERT_TRUE(decoder.Decode(code + (at - plan.code), size - sizeof(head) - (at - plan.code), at, &i));
    const bool is_call = plan.route != Route::kGate && at == plan.code + head.call_at;
    // Nothing but the call itself may change a flag, or touch the stack.
    EXPECT_TRUE(is_call || (i.head.cpu_flags->modified == 0 && i.head.cpu_flags->set_0 == 0));
    for (int o = 0; o < i.head.operand_count; ++o) {
      const ZydisDecodedOperand& operand = i.operands[o];
      if ((operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0) continue;
      if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER) {
        const ZydisRegister wide = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand.reg.value);
        EXPECT_TRUE(wide == ZYDIS_REGISTER_RCX || wide == ZYDIS_REGISTER_R11 ||
                    operand.reg.value == ZYDIS_REGISTER_RIP || is_call)
            << ZydisRegisterGetString(operand.reg.value);
      }
      if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) {
        const bool counter = operand.mem.base == ZYDIS_REGISTER_R11;
        EXPECT_TRUE(counter || operand.mem.segment == ZYDIS_REGISTER_GS);
      }
    }
    switch (i.head.mnemonic) {
      case ZYDIS_MNEMONIC_SYSCALL:
        EXPECT_TRUE(is_call && !far);
        call = true;
        break;
      case ZYDIS_MNEMONIC_JMP:
        ASSERT_TRUE(i.Target().has_value());
        if (i.operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY) {
          EXPECT_TRUE(far);
          EXPECT_EQ(constant(*i.Target()), is_call ? plan.far_call : plan.gate);
          (is_call ? call : gate) = true;
        } else if (*i.Target() == plan.gate) {
          gate = true;
        } else if (*i.Target() == plan.direct_gate) {
          EXPECT_TRUE(told_where);
          direct = true;
        } else {
          EXPECT_TRUE(*i.Target() > plan.code && *i.Target() < body);
        }
        break;
      case ZYDIS_MNEMONIC_JRCXZ:
        ASSERT_TRUE(i.Target().has_value());
        EXPECT_TRUE(*i.Target() > plan.code && *i.Target() < body);
        break;
      case ZYDIS_MNEMONIC_LEA:
        if (i.operands[1].mem.base == ZYDIS_REGISTER_RIP) {
          if (at == plan.code + head.after_at) {
            EXPECT_EQ(*i.Target(), plan.after);
          } else {
            EXPECT_EQ(*i.Target(), plan.code + head.after_at);
            told_where = true;
          }
        }
        break;
      default:
        EXPECT_TRUE(i.head.mnemonic == ZYDIS_MNEMONIC_MOV || i.head.mnemonic == ZYDIS_MNEMONIC_MOVZX ||
                    i.head.mnemonic == ZYDIS_MNEMONIC_BSWAP)
            << ZydisMnemonicGetString(i.head.mnemonic);
        break;
    }
    at = i.end();
  }
  EXPECT_EQ(at, body) << "the displaced instruction begins where another ends";
  EXPECT_TRUE(gate);
  EXPECT_EQ(call, plan.route != Route::kGate);
  EXPECT_EQ(direct, plan.direct_gate != 0);
  ASSERT_EQ(memcmp(code + head.body_at, plan.body, plan.body_size), 0);
  const size_t back_at = head.body_at + plan.body_size;
  Instruction back;
  ASSERT_TRUE(decoder.Decode(code + back_at, 5, plan.code + back_at, &back));
  EXPECT_EQ(back.head.mnemonic, ZYDIS_MNEMONIC_JMP);
  EXPECT_EQ(*back.Target(), plan.after + plan.body_size);
}

// Where the bytes of a file's executable segment lie in it.
std::vector<uint8_t> TextOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Elf64_Ehdr header;
  if (all.size() < sizeof(header)) return {};
  memcpy(&header, all.data(), sizeof(header));
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    memcpy(&segment, all.data() + header.e_phoff + i * sizeof(segment), sizeof(segment));
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    return {all.begin() + static_cast<ptrdiff_t>(segment.p_offset),
            all.begin() + static_cast<ptrdiff_t>(segment.p_offset + segment.p_filesz)};
  }
  return {};
}

TEST(StubCodeTest, StubsOfACLibraryAreWhatTheyShouldBe) {
  const std::vector<uint8_t> text = TextOf("/lib/x86_64-linux-gnu/libc.so.6");
  ASSERT_FALSE(text.empty());
  const Decoder decoder;
  constexpr uint64_t kBase = 0x7f0001000000;
  int sites = 0;
  int movable = 0;
  for (size_t at = 0; at + 2 + 15 < text.size();) {
    Instruction i;
    if (!decoder.Decode(&text[at], text.size() - at, kBase + at, &i)) {
      ++at;
      continue;
    }
    at += i.head.length;
    if (i.head.mnemonic != ZYDIS_MNEMONIC_SYSCALL) continue;
    ++sites;
    const size_t body_size = MovableSize(&text[at], 15, 3);
    if (body_size == 0) continue;
    ++movable;
    struct Looked {
      Route route;
      uint8_t fds, paths;
    };
    for (const Looked looked :
         {Looked{Route::kGate, 0, 0}, Looked{Route::kStub, 0, 0}, Looked{Route::kStub, 0x01, 0x02},
          Looked{Route::kStub, 0x14, 0}, Looked{Route::kStub, 0x20, 0x08}, Looked{Route::kStub, 0x0a, 0},
          Looked{Route::kStub, 0, 0x05}, Looked{Route::kStub, 0, 0x30}}) {
      for (const bool far : {false, true}) {
        const bool is_ahead = movable % 2 == 0;
        const StubPlan plan = {.code = far ? kBase - 0x100000 : kNearCode,
                               .after = kBase + at,
                               .index = kIndex,
                               .nr = static_cast<uint32_t>(sites) % 1024,
                               .route = looked.route,
                               .fds = looked.fds,
                               .paths = looked.paths,
                               .gate = far ? 0x5555000 : kGate,
                               .direct_gate = looked.paths != 0 && !far ? kDirectGate : 0,
                               .far_call = far ? kFarCall : 0,
                               .body = &text[at],
                               .body_size = body_size,
                               .jump_at = 0,
                               .under_jump = nullptr,
                               .front = kFront,
                               .ahead = is_ahead ? uint8_t{sizeof(kFront)} : uint8_t{0}};
        CheckStub(decoder, plan);
        if (HasFailure()) FAIL() << "behind " << std::hex << at;
      }
    }
  }
  EXPECT_GT(sites, 300);
  EXPECT_GT(movable * 10, sites * 8) << "of " << sites;
}

TEST(StubCodeTest, SizeDoesNotDependOnAddresses) {
  const uint8_t body[] = {0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff};
  StubPlan plan = {.code = kNearCode,
                   .after = kNearCode + 0x1000,
                   .index = kIndex,
                   .nr = 39,
                   .route = Route::kStub,
                   .fds = 1,
                   .paths = 2,
                   .gate = kGate,
                   .direct_gate = kDirectGate,
                   .far_call = 0,
                   .body = body,
                   .body_size = sizeof(body),
                   .jump_at = 0,
                   .under_jump = nullptr,
                   .front = nullptr,
                   .ahead = 0};
  uint8_t bytes[kMaxStub];
  const size_t size = AssembleStub(plan, bytes);
  plan.code += 0x123456;
  plan.index = 0;
  EXPECT_EQ(AssembleStub(plan, bytes), size);
}

TEST(StubCodeTest, TheLongestInstructionFits) {
  const uint8_t body[15] = {};
  const uint8_t front[wire::kBookMostAhead] = {};
  for (const bool far : {false, true}) {
    const StubPlan plan = {.code = kNearCode,
                           .after = kNearCode + 0x1000,
                           .index = kIndex,
                           .nr = 1023,
                           .route = Route::kStub,
                           .fds = 0,
                           .paths = 5,
                           .gate = kGate,
                           .direct_gate = far ? 0 : kDirectGate,
                           .far_call = far ? kFarCall : 0,
                           .body = body,
                           .body_size = sizeof(body),
                           .jump_at = 0,
                           .under_jump = nullptr,
                           .front = front,
                           .ahead = sizeof(front)};
    uint8_t bytes[kMaxStub];
    EXPECT_GT(AssembleStub(plan, bytes), 0u);
  }
}

}  // namespace
}  // namespace guise::shim
