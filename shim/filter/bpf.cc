#include "shim/filter/bpf.h"

#include "shim/memory.h"

namespace guise::shim {
namespace {

constexpr uint32_t kDataSize = sizeof(seccomp_data);

// NOLINTBEGIN(misc-redundant-expression): some of the parts are 0, and say something all the same.
bool IsKnown(const sock_filter& at) {
  switch (at.code) {
    case BPF_LD | BPF_W | BPF_ABS:
      return at.k < kDataSize && at.k % 4 == 0;
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_ALU | BPF_NEG:
    case BPF_ALU | BPF_ADD | BPF_K:
    case BPF_ALU | BPF_ADD | BPF_X:
    case BPF_ALU | BPF_SUB | BPF_K:
    case BPF_ALU | BPF_SUB | BPF_X:
    case BPF_ALU | BPF_MUL | BPF_K:
    case BPF_ALU | BPF_MUL | BPF_X:
    case BPF_ALU | BPF_DIV | BPF_X:
    case BPF_ALU | BPF_AND | BPF_K:
    case BPF_ALU | BPF_AND | BPF_X:
    case BPF_ALU | BPF_OR | BPF_K:
    case BPF_ALU | BPF_OR | BPF_X:
    case BPF_ALU | BPF_XOR | BPF_K:
    case BPF_ALU | BPF_XOR | BPF_X:
    case BPF_ALU | BPF_LSH | BPF_X:
    case BPF_ALU | BPF_RSH | BPF_X:
    case BPF_JMP | BPF_JA:
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JEQ | BPF_X:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_X:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_X:
    case BPF_JMP | BPF_JSET | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_X:
      return true;
    case BPF_ALU | BPF_DIV | BPF_K:
      return at.k != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
      return at.k < 32;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
      return at.k < BPF_MEMWORDS;
    default:
      return false;
  }
}
// NOLINTEND(misc-redundant-expression)

bool JumpsInside(const sock_filter* program, uint32_t length, uint32_t i) {
  const sock_filter& at = program[i];
  if (BPF_CLASS(at.code) != BPF_JMP) return true;
  if (at.code == (BPF_JMP | BPF_JA)) return at.k < length - i - 1;
  return i + at.jt + 1 < length && i + at.jf + 1 < length;
}

// ABI: check_load_and_stores(): what has surely been written on every way to an instruction. Jumps go forward only.
bool ReadsWhatIsWritten(const sock_filter* program, uint32_t length) {
  uint16_t written_at[BPF_MAXINSNS];
  memset(written_at, 0xff, length * sizeof(written_at[0]));
  uint16_t written = 0;
  for (uint32_t i = 0; i < length; ++i) {
    const sock_filter& at = program[i];
    written &= written_at[i];
    switch (at.code) {
      case BPF_ST:
      case BPF_STX:
        written |= static_cast<uint16_t>(1 << at.k);
        break;
      case BPF_LD | BPF_MEM:
      case BPF_LDX | BPF_MEM:
        if ((written >> at.k & 1) == 0) return false;
        break;
      case BPF_JMP | BPF_JA:
        written_at[i + 1 + at.k] &= written;
        written = 0xffff;
        break;
      default:
        if (BPF_CLASS(at.code) != BPF_JMP) break;
        written_at[i + 1 + at.jt] &= written;
        written_at[i + 1 + at.jf] &= written;
        written = 0xffff;
        break;
    }
  }
  return true;
}

uint32_t Alu(uint16_t operation, uint32_t a, uint32_t b) {
  switch (operation) {
    case BPF_ADD:
      return a + b;
    case BPF_SUB:
      return a - b;
    case BPF_MUL:
      return a * b;
    case BPF_DIV:
      return a / b;
    case BPF_AND:
      return a & b;
    case BPF_OR:
      return a | b;
    case BPF_XOR:
      return a ^ b;
    // ABI: the kernel's interpreter shifts by the low five bits.
    case BPF_LSH:
      return a << (b & 31);
    case BPF_RSH:
      return a >> (b & 31);
    default:
      return 0 - a;  // BPF_NEG
  }
}

bool Holds(uint16_t operation, uint32_t a, uint32_t b) {
  switch (operation) {
    case BPF_JEQ:
      return a == b;
    case BPF_JGE:
      return a >= b;
    case BPF_JGT:
      return a > b;
    default:
      return (a & b) != 0;  // BPF_JSET
  }
}

}  // namespace

bool IsGoodFilter(const sock_filter* program, uint32_t length) {
  if (length == 0 || length > BPF_MAXINSNS || BPF_CLASS(program[length - 1].code) != BPF_RET) return false;
  for (uint32_t i = 0; i < length; ++i) {
    if (!IsKnown(program[i]) || !JumpsInside(program, length, i)) return false;
  }
  return ReadsWhatIsWritten(program, length);
}

uint32_t RunFilter(const sock_filter* program, const seccomp_data& data) {
  uint32_t a = 0;
  uint32_t x = 0;
  uint32_t scratch[BPF_MEMWORDS] = {};
  for (const sock_filter* at = program;; ++at) {
    const uint32_t operand = BPF_SRC(at->code) == BPF_X ? x : at->k;
    switch (BPF_CLASS(at->code)) {
      case BPF_RET:
        return at->code == (BPF_RET | BPF_A) ? a : at->k;
      case BPF_LD:
        if (BPF_MODE(at->code) == BPF_ABS) {
          memcpy(&a, reinterpret_cast<const char*>(&data) + at->k, sizeof(a));
        } else {
          a = BPF_MODE(at->code) == BPF_MEM ? scratch[at->k] : BPF_MODE(at->code) == BPF_LEN ? kDataSize : at->k;
        }
        break;
      case BPF_LDX:
        x = BPF_MODE(at->code) == BPF_MEM ? scratch[at->k] : BPF_MODE(at->code) == BPF_LEN ? kDataSize : at->k;
        break;
      case BPF_ST:
        scratch[at->k] = a;
        break;
      case BPF_STX:
        scratch[at->k] = x;
        break;
      case BPF_ALU:
        // ABI: a division by a zero in x ends the filter with 0, which is SECCOMP_RET_KILL_THREAD.
        if (BPF_OP(at->code) == BPF_DIV && operand == 0) return 0;
        a = Alu(BPF_OP(at->code), a, operand);
        break;
      case BPF_JMP:
        if (BPF_OP(at->code) == BPF_JA) {
          at += at->k;
        } else {
          at += Holds(BPF_OP(at->code), a, operand) ? at->jt : at->jf;
        }
        break;
      default:  // BPF_MISC
        if (at->code == (BPF_MISC | BPF_TAX)) {
          x = a;
        } else {
          a = x;
        }
        break;
    }
  }
}

}  // namespace guise::shim
