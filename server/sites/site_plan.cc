#include "server/sites/site_plan.h"

#include <Zydis/Zydis.h>

#include <cstring>

namespace guise::server {
namespace {

struct Decoded {
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

  size_t size() const { return instruction.length; }
  const ZydisDecodedOperand& operand(size_t i) const { return operands[i]; }
};

class Decoder {
 public:
  Decoder() { ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }
  bool Decode(absl::Span<const uint8_t> code, size_t at, Decoded* decoded) const {
    return at < code.size() && ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, code.data() + at, code.size() - at,
                                                                   &decoded->instruction, decoded->operands));
  }

 private:
  ZydisDecoder decoder_;
};

bool IsBranch(const Decoded& decoded) {
  return decoded.instruction.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE ||
         decoded.instruction.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
         decoded.instruction.meta.category == ZYDIS_CATEGORY_COND_BR ||
         decoded.instruction.meta.category == ZYDIS_CATEGORY_CALL;
}
// What is behind it is not come to from it.
bool EndsPath(const Decoded& decoded) {
  return decoded.instruction.mnemonic == ZYDIS_MNEMONIC_RET || decoded.instruction.mnemonic == ZYDIS_MNEMONIC_JMP;
}

// Does the same at another address: names no address of its own, and goes on behind itself.
bool MayMove(const Decoded& decoded) {
  return !IsBranch(decoded) && (decoded.instruction.attributes & ZYDIS_ATTRIB_IS_RELATIVE) == 0 &&
         decoded.instruction.mnemonic != ZYDIS_MNEMONIC_SYSCALL;
}

// nopl or nopw with a displacement of 32 bits, all zeros: five bytes of operand that mean nothing.
bool IsLongNop(absl::Span<const uint8_t> code, size_t at, const Decoded& decoded) {
  constexpr uint8_t kTail[] = {0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};
  const size_t size = decoded.size();
  return decoded.instruction.mnemonic == ZYDIS_MNEMONIC_NOP && size >= sizeof(kTail) &&
         std::memcmp(code.data() + at + size - sizeof(kTail), kTail, sizeof(kTail)) == 0;
}

}  // namespace

FoundInFunction LookAround(const SiteInFunction& site) {
  const Decoder decoder;
  FoundInFunction found;
  Decoded decoded;
  bool ends_path = false;
  size_t ahead = site.function.size();  // the last instruction that takes a jump; behind it nothing but what may move
  // As far as it is code.
  for (size_t at = 0; decoder.Decode(site.function, at, &decoded); at += decoded.size()) {
    if (at == site.site) {
      found.is_met = true;
      if (ahead < at && at - ahead <= kMostAhead) found.ahead = at - ahead;
    }
    if (!MayMove(decoded)) {
      ahead = site.function.size();
    } else if (decoded.size() >= kJumpSize) {
      ahead = at;
    }
    if (at > site.site && ends_path && found.jump_at == 0 && IsLongNop(site.function, at, decoded)) {
      const size_t jump_at = at + decoded.size() - kJumpSize - site.site;
      if (jump_at <= kCallSize + kFarthestJump) found.jump_at = jump_at;
    }
    ends_path = EndsPath(decoded);
  }
  return found;
}

bool IsHard(absl::Span<const uint8_t> behind) {
  const Decoder decoder;
  Decoded decoded;
  return !decoder.Decode(behind, 0, &decoded) || decoded.size() < kJumpSize - kCallSize || !MayMove(decoded);
}

size_t JumpInGap(absl::Span<const uint8_t> gap) {
  const Decoder decoder;
  Decoded decoded;
  size_t place = gap.size();
  size_t start = 0;
  for (size_t at = 0; at < gap.size(); at += decoded.size()) {
    if (!decoder.Decode(gap, at, &decoded) || decoded.instruction.mnemonic != ZYDIS_MNEMONIC_NOP) return gap.size();
    // The shim knows no shorter ones.
    constexpr size_t kShortest = 3;
    const size_t next = at + decoded.size();
    if (decoded.size() < kShortest) {
      start = next;
    } else if (place == gap.size() && next - start >= kJumpSize) {
      place = start;
    }
  }
  return place;
}

size_t JumpInNop(absl::Span<const uint8_t> gap) {
  const Decoder decoder;
  Decoded decoded;
  for (size_t at = 0; at < gap.size(); at += decoded.size()) {
    if (!decoder.Decode(gap, at, &decoded) || decoded.instruction.mnemonic != ZYDIS_MNEMONIC_NOP) break;
    if (IsLongNop(gap, at, decoded)) return at + decoded.size() - kJumpSize;
  }
  return gap.size();
}

bool EndsItsPath(absl::Span<const uint8_t> function) {
  const Decoder decoder;
  Decoded decoded;
  bool ends = false;
  for (size_t at = 0; at < function.size(); at += decoded.size()) {
    if (!decoder.Decode(function, at, &decoded)) return false;
    ends = EndsPath(decoded) || decoded.instruction.mnemonic == ZYDIS_MNEMONIC_UD2 ||
           decoded.instruction.mnemonic == ZYDIS_MNEMONIC_HLT;
  }
  return ends;
}

}  // namespace guise::server
