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
bool IsDirect(const Decoded& decoded) {
  return decoded.instruction.operand_count_visible > 0 && decoded.operand(0).type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}
// What is behind it is not come to from it.
bool EndsPath(const Decoded& decoded) {
  return decoded.instruction.mnemonic == ZYDIS_MNEMONIC_RET || decoded.instruction.mnemonic == ZYDIS_MNEMONIC_JMP;
}

// mov from one register to another, or xor of one with itself.
bool MayBeDoneTwice(const Decoded& decoded) {
  if (decoded.size() != 2 || decoded.operand(0).type != ZYDIS_OPERAND_TYPE_REGISTER ||
      decoded.operand(1).type != ZYDIS_OPERAND_TYPE_REGISTER) {
    return false;
  }
  const bool of_one = decoded.operand(0).reg.value == decoded.operand(1).reg.value;
  return decoded.instruction.mnemonic == (of_one ? ZYDIS_MNEMONIC_XOR : ZYDIS_MNEMONIC_MOV);
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
  size_t second = 0;
  const size_t after = site.site + kCallSize;
  if (decoder.Decode(site.function, after, &decoded) && MayBeDoneTwice(decoded)) second = after + decoded.size();
  bool ends_path = false;
  size_t ahead = site.function.size();  // the last instruction that takes a jump; behind it nothing but what may move
  for (size_t at = 0; at < site.function.size();) {
    if (!decoder.Decode(site.function, at, &decoded)) {
      // Data, or no function: who leads where is not known.
      found.second = 0;
      return found;
    }
    if (at == site.site) {
      found.is_met = true;
      if (ahead < at && at - ahead <= kMostAhead) found.ahead = at - ahead;
    }
    if (!MayMove(decoded)) {
      ahead = site.function.size();
    } else if (decoded.size() >= kJumpSize) {
      ahead = at;
    }
    const size_t next = at + decoded.size();
    if (at > site.site && ends_path && found.jump_at == 0 && IsLongNop(site.function, at, decoded)) {
      const size_t jump_at = next - kJumpSize - site.site;
      if (jump_at <= kCallSize + kFarthestJump) found.jump_at = jump_at;
    }
    if (IsBranch(decoded)) {
      const bool is_call = decoded.instruction.meta.category == ZYDIS_CATEGORY_CALL;
      if (IsDirect(decoded)) {
        ZyanU64 target = 0;
        if (ZYAN_FAILED(ZydisCalcAbsoluteAddress(&decoded.instruction, &decoded.operand(0), at, &target)) ||
            target == second) {
          second = 0;
        }
        // To the rest of a function that was split, perhaps, which comes back.
        if (!is_call && target >= site.function.size()) second = 0;
      } else if (!is_call && decoded.instruction.mnemonic != ZYDIS_MNEMONIC_RET) {
        // A table may lead anywhere in the function.
        second = 0;
      }
    }
    ends_path = EndsPath(decoded);
    at = next;
  }
  found.second = second < site.function.size() ? second : 0;
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

bool IsOfNoBranch(absl::Span<const uint8_t> function, size_t at) {
  const Decoder decoder;
  Decoded decoded;
  bool of_none = false;
  for (size_t next = 0; next < function.size(); next += decoded.size()) {
    if (!decoder.Decode(function, next, &decoded)) return false;
    if (at >= next && at - next < decoded.size()) of_none = !IsBranch(decoded);
  }
  return of_none;
}

bool MayLeadInto(absl::Span<const uint8_t> text, uint64_t start, const AddressRange& targets,
                 absl::FunctionRef<bool(uint64_t)> may_be_branch) {
  const uint8_t* const bytes = text.data();
  const auto leads = [&](size_t from, size_t end, int64_t distance) {
    const uint64_t target = start + end + static_cast<uint64_t>(distance);
    return target != targets.start && targets.Has(target) && !targets.Has(start + from) && may_be_branch(start + from);
  };
  for (size_t at = 1; at < text.size(); ++at) {
    const uint8_t before = bytes[at - 1];
    const uint8_t earlier = at > 1 ? bytes[at - 2] : 0;
    // jcc, loop and its kin, jmp.
    const bool is_short = (before & 0xf0) == 0x70 || (before >= 0xe0 && before <= 0xe3) || before == 0xeb;
    if (is_short && leads(at - 1, at + 1, static_cast<int8_t>(bytes[at]))) return true;
    // call, jmp; jcc of two bytes, and xbegin, which leads to where it aborts.
    const bool is_far = before == 0xe8 || before == 0xe9 || (earlier == 0x0f && (before & 0xf0) == 0x80) ||
                        (earlier == 0xc7 && before == 0xf8);
    constexpr size_t kFar = 4;
    if (!is_far || at + kFar > text.size()) continue;
    int32_t distance;
    std::memcpy(&distance, bytes + at, kFar);
    if (leads(at - 1, at + kFar, distance)) return true;
  }
  return false;
}

}  // namespace guise::server
