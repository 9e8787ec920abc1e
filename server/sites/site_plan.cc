#include "server/sites/site_plan.h"

#include <Zydis/Zydis.h>

#include "proto/wire/book.h"

namespace guise::server {
namespace {

class Decoder {
 public:
  Decoder() { ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }
  // The instruction that `code` begins with; false: it is none.
  bool Decode(absl::Span<const uint8_t> code, ZydisDecodedInstruction* instruction) const {
    return !code.empty() &&
           ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder_, nullptr, code.data(), code.size(), instruction));
  }

 private:
  ZydisDecoder decoder_;
};

// Does the same at another address: names no address of its own, and goes on behind itself.
bool MayMove(const ZydisDecodedInstruction& instruction) {
  switch (instruction.meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_UNCOND_BR:
      return false;
    default:
      return (instruction.attributes & ZYDIS_ATTRIB_IS_RELATIVE) == 0;
  }
}

// By what it names in memory, for the others that move do not.
bool MayFault(const ZydisDecodedInstruction& instruction) {
  if (instruction.meta.category == ZYDIS_CATEGORY_PUSH || instruction.meta.category == ZYDIS_CATEGORY_POP) return true;
  constexpr uint8_t kRegister = 3;
  const bool names = (instruction.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0 && instruction.raw.modrm.mod != kRegister;
  return names && instruction.mnemonic != ZYDIS_MNEMONIC_LEA && instruction.mnemonic != ZYDIS_MNEMONIC_NOP;
}

}  // namespace

std::optional<size_t> AheadOf(absl::Span<const uint8_t> front) {
  const Decoder decoder;
  ZydisDecodedInstruction instruction;
  size_t room = front.size();  // where the last instruction that a jump has room in begins
  for (size_t at = 0; at < front.size(); at += instruction.length) {
    if (!decoder.Decode(front.subspan(at), &instruction)) return std::nullopt;
    if (!MayMove(instruction)) {
      room = front.size();
    } else if (instruction.length >= kJumpSize && !MayFault(instruction)) {
      room = at;
    }
  }
  const size_t ahead = front.size() - room;
  return ahead <= wire::kBookMostAhead ? ahead : 0;
}

bool IsHard(absl::Span<const uint8_t> behind) {
  const Decoder decoder;
  ZydisDecodedInstruction instruction;
  return !decoder.Decode(behind, &instruction) || instruction.length < kJumpSize - kCallSize || !MayMove(instruction);
}

}  // namespace guise::server
