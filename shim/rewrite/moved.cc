#include "shim/rewrite/moved.h"

#include "shim/memory.h"

namespace guise::shim {
namespace {

// What follows an opcode of the one-byte map.
enum class Form : uint8_t { kUnknown, kModRm, kModRmImm8, kModRmImm32, kImm32, kImm8 };

// ABI: Intel SDM volume 2, opcode map 1. Integer instructions without side effects beyond registers and memory.
Form FormOf(uint8_t opcode) {
  const bool arithmetic = opcode < 0x40;
  if (arithmetic) {
    switch (opcode & 7) {
      case 0:
      case 1:
      case 2:
      case 3:
        return Form::kModRm;  // add, or, adc, sbb, and, sub, xor, cmp
      case 4:
        return Form::kImm8;
      case 5:
        return Form::kImm32;
      default:
        return Form::kUnknown;  // segments, prefixes
    }
  }
  switch (opcode) {
    case 0x63:  // movslq; without REX.W nobody writes it
    case 0x84:
    case 0x85:  // test
    case 0x88:
    case 0x89:
    case 0x8a:
    case 0x8b:  // mov
    case 0x8d:  // lea
    case 0xf7:  // not, neg; the others of the group have operands, or fault
      return Form::kModRm;
    case 0x80:
    case 0x83:
    case 0xc0:
    case 0xc1:  // shifts
    case 0xc6:  // mov imm8
    case 0x6b:  // imul
      return Form::kModRmImm8;
    case 0x81:
    case 0xc7:  // mov imm32
    case 0x69:
      return Form::kModRmImm32;
    case 0xa8:
      return Form::kImm8;
    case 0xa9:
    case 0xb8:
    case 0xb9:
    case 0xba:
    case 0xbb:
    case 0xbc:
    case 0xbd:
    case 0xbe:
    case 0xbf:  // mov imm32 to a register
      return Form::kImm32;
    default:
      return Form::kUnknown;
  }
}

// Of the opcodes above, /n forms that are no instructions.
bool IsReserved(uint8_t opcode, uint8_t modrm) {
  const uint8_t n = modrm >> 3 & 7;
  switch (opcode) {
    case 0xc6:
    case 0xc7:
      return n != 0;
    case 0xc0:
    case 0xc1:
      return n == 6;
    case 0x8d:
      return modrm >= 0xc0;  // lea of a register
    case 0xf7:
      return n != 2 && n != 3;
    default:
      return false;
  }
}

// ModRM, SIB and displacement; 0: relative to the instruction's own address.
size_t ModRmSize(const uint8_t* code, size_t size) {
  if (size < 1) return 0;
  const uint8_t mod = code[0] >> 6;
  const uint8_t rm = code[0] & 7;
  if (mod == 3) return 1;
  if (mod == 0 && rm == 5) return 0;
  const bool sib = rm == 4;
  if (sib && size < 2) return 0;
  const bool no_base = sib && mod == 0 && (code[1] & 7) == 5;
  const size_t displacement = mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0;
  return 1 + (sib ? 1 : 0) + displacement;
}

// By what it names in memory; of instructions that MovableSize() knows, but for nops.
bool MayFault(const uint8_t* code) {
  constexpr uint8_t kLea = 0x8d;
  const uint8_t* const opcode = (*code & 0xf0) == 0x40 ? code + 1 : code;
  const Form form = FormOf(*opcode);
  return form != Form::kImm8 && form != Form::kImm32 && opcode[1] < 0xc0 && *opcode != kLea;
}

// What assemblers fill up with: prefixes for operand size and %cs in front of a nop with operand.
size_t SkipFillers(const uint8_t* code, size_t size, size_t at) {
  while (at < size && (code[at] == 0x66 || code[at] == 0x2e)) ++at;
  return at;
}

// A nop with operand, which a function that ends in a call may have behind it; 0: another instruction.
size_t NopSize(const uint8_t* code, size_t size) {
  size_t at = SkipFillers(code, size, 0);
  if (at + 2 > size || code[at] != 0x0f || code[at + 1] != 0x1f) return 0;
  at += 2;
  const size_t operands = ModRmSize(code + at, size - at);
  return operands == 0 || at + operands > size ? 0 : at + operands;
}

// nop, or xchg %ax,%ax; 0: another instruction.
size_t FillSize(const uint8_t* code, size_t size) {
  constexpr uint8_t kNop = 0x90;
  if (code[0] == kNop) return 1;
  return size >= 2 && code[0] == 0x66 && code[1] == kNop ? 2 : 0;
}

}  // namespace

size_t MovableSize(const uint8_t* code, size_t size, size_t least) {
  if (const size_t nop = NopSize(code, size); nop != 0) return nop >= least ? nop : 0;
  size_t at = 0;
  bool wide = false;
  if (at < size && (code[at] & 0xf0) == 0x40) wide = (code[at++] & 8) != 0;
  if (at >= size) return 0;
  const uint8_t opcode = code[at++];
  const Form form = FormOf(opcode);
  if (form == Form::kUnknown) return 0;
  // mov imm64
  if (wide && opcode >= 0xb8 && opcode <= 0xbf) return 0;
  if (form != Form::kImm8 && form != Form::kImm32) {
    const size_t operands = ModRmSize(code + at, size - at);
    if (operands == 0 || IsReserved(opcode, code[at])) return 0;
    at += operands;
  }
  if (form == Form::kModRmImm8 || form == Form::kImm8) at += 1;
  if (form == Form::kModRmImm32 || form == Form::kImm32) at += 4;
  return at <= size && at >= least ? at : 0;
}

bool AllMove(const uint8_t* code, size_t size) {
  constexpr size_t kJumpSize = 5;
  if (size < kJumpSize || (NopSize(code, size) == 0 && MayFault(code))) return false;
  for (size_t at = 0; at < size;) {
    const size_t fill = at == 0 ? 0 : FillSize(code + at, size - at);
    const size_t moved = fill != 0 ? fill : MovableSize(code + at, size - at, at == 0 ? kJumpSize : 1);
    if (moved == 0) return false;
    at += moved;
  }
  return true;
}

size_t JumpInNop(const uint8_t* code, size_t size) {
  constexpr uint8_t kReturn = 0xc3;
  constexpr size_t kJumpSize = 5;
  if (size == 0 || code[0] != kReturn) return 0;
  // nopl or nopw disp32(base,index).
  size_t at = SkipFillers(code, size, 1);
  constexpr uint8_t kNop[] = {0x0f, 0x1f, 0x84};
  for (const uint8_t byte : kNop) {
    if (at >= size || code[at++] != byte) return 0;
  }
  return at + kJumpSize <= size ? at : 0;
}

}  // namespace guise::shim
