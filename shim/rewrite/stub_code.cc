#include "shim/rewrite/stub_code.h"

#include <initializer_list>

#include "proto/wire/published.h"
#include "shim/arch/x86_64/offsets.h"
#include "shim/memory.h"

namespace guise::shim {
namespace {

// Bytes and little-endian words behind a head, with labels as offsets from the code's first byte.
class Emitter {
 public:
  Emitter(uint8_t* to, size_t room, uint64_t code) : to_(to), room_(room), code_(code) {}

  size_t at() const { return at_; }
  bool fits() const { return at_ <= room_; }

  void Bytes(const uint8_t* bytes, size_t size) {
    if (at_ + size <= room_) memcpy(to_ + at_, bytes, size);
    at_ += size;
  }
  // Some stores, no call: a program's start makes many stubs.
  template <size_t kSize>
  void Bytes(const uint8_t (&bytes)[kSize]) {
    if (at_ + kSize <= room_) __builtin_memcpy(to_ + at_, bytes, kSize);
    at_ += kSize;
  }
  void Word32(uint32_t word) { Word(word); }
  void Word64(uint64_t word) { Word(word); }
  // A rel32 that ends an instruction.
  void Relative(uint64_t target) { Word32(static_cast<uint32_t>(target - (code_ + at_ + 4))); }
  // A Word32(0) at `at`, as a rel32 to here.
  void SetRelative(size_t at) {
    const auto distance = static_cast<uint32_t>(at_ - (at + sizeof(uint32_t)));
    if (fits()) __builtin_memcpy(to_ + at, &distance, sizeof(distance));
  }
  // Behind a short jump's opcode: to a label that is known.
  void Short(size_t label) { Word(static_cast<uint8_t>(label - (at_ + 1))); }

 private:
  template <typename T>
  void Word(T word) {
    if (at_ + sizeof(word) <= room_) __builtin_memcpy(to_ + at_, &word, sizeof(word));
    at_ += sizeof(word);
  }

  uint8_t* to_;
  size_t room_;
  uint64_t code_;
  size_t at_ = 0;
};

// lea (%rcx,%rdi),%ecx and so on: rdi, rsi, rdx, r10, r8, r9; with a prefix that means nothing where none is needed.
constexpr uint8_t kAddArgument[6][4] = {{0x40, 0x8d, 0x0c, 0x39}, {0x40, 0x8d, 0x0c, 0x31}, {0x40, 0x8d, 0x0c, 0x11},
                                        {0x42, 0x8d, 0x0c, 0x11}, {0x42, 0x8d, 0x0c, 0x01}, {0x42, 0x8d, 0x0c, 0x09}};

// mov (%rdi),%r11d and so on.
constexpr uint8_t kLoadFrom[6][3] = {{0x44, 0x8b, 0x1f}, {0x44, 0x8b, 0x1e}, {0x44, 0x8b, 0x1a},
                                     {0x45, 0x8b, 0x1a}, {0x45, 0x8b, 0x18}, {0x45, 0x8b, 0x19}};

}  // namespace

size_t AssembleStub(const StubPlan& plan, uint8_t (&to)[kMaxStub]) {
  const bool far = plan.far_call != 0;
  StubHead head = {};
  head.after = plan.after;
  head.index = plan.index;
  head.body_size = static_cast<uint8_t>(plan.body_size);
  head.jump_at = plan.jump_at;
  head.ahead = plan.ahead;
  if (plan.under_jump != nullptr) memcpy(head.under_jump, plan.under_jump, sizeof(head.under_jump));
  Emitter emit(to + sizeof(head), kMaxStub - sizeof(head), plan.code);

  emit.Bytes(plan.front, plan.ahead);
  // Addresses that a far stub cannot reach by a displacement stand behind its code.
  size_t far_gate_at = 0;
  size_t far_call_at = 0;
  const auto jump_to_gate = [&] {
    emit.Bytes({0xb9});  // mov $index,%ecx
    emit.Word32(plan.index);
    if (!far) {
      emit.Bytes({0xe9});  // jmp gate
      emit.Relative(plan.gate);
      return;
    }
    emit.Bytes({0xff, 0x25});  // jmp *gate(%rip)
    far_gate_at = emit.at();
    emit.Word32(0);
  };

  size_t slow = 0;
  size_t to_called_at = 0;
  if (plan.route == Route::kGate) {
    jump_to_gate();
  } else {
    emit.Bytes({0x65, 0x8b, 0x0c, 0x25});  // mov %gs:cookie,%ecx
    emit.Word32(GUISE_COOKIE);
    emit.Bytes({0x8d, 0x8c, 0x01});  // lea -(cookie + nr)(%rcx,%rax),%ecx
    emit.Word32(0 - (GUISE_COOKIE_VALUE + plan.nr));
    const uint8_t over_gate = far ? 11 : 10;
    emit.Bytes({0xe3, over_gate});  // jrcxz over the jump to the gate
    slow = emit.at();
    jump_to_gate();
    if (plan.paths != 0) {
      emit.Bytes({0x65, 0x8b, 0x0c, 0x25});  // mov %gs:blocked_faults,%ecx
      emit.Word32(GUISE_BLOCKED_FAULTS);
      emit.Bytes({0xe3, 0x02});  // jrcxz over
      emit.Bytes({0xeb});        // jmp slow
      emit.Short(slow);
    }
    for (int argument = 0; argument < 6; ++argument) {
      if ((plan.paths >> argument & 1) == 0) continue;
      emit.Bytes(kLoadFrom[argument]);  // mov (argument),%r11d
      for (const uint32_t known : {GUISE_PATH_PROC, GUISE_PATH_DEV}) {
        emit.Bytes({0x41, 0x8d, 0x8b});  // lea -known(%r11),%ecx
        emit.Word32(0 - known);
        emit.Bytes({0xe3});  // jrcxz slow
        emit.Short(slow);
      }
    }
    for (int argument = 0; argument < 6; ++argument) {
      if ((plan.fds >> argument & 1) == 0) continue;
      // Between the lowest guarded fd and 2^24 above it the topmost byte of the difference is 0, and nowhere below.
      emit.Bytes({0x65, 0x8b, 0x0c, 0x25});  // mov %gs:below_guarded,%ecx
      emit.Word32(GUISE_BELOW_GUARDED);
      emit.Bytes(kAddArgument[argument]);  // lea (%rcx,argument),%ecx
      emit.Bytes({0x0f, 0xc9});            // bswap %ecx
      emit.Bytes({0x0f, 0xb6, 0xc9});      // movzbl %cl,%ecx
      emit.Bytes({0xe3});                  // jrcxz slow
      emit.Short(slow);
    }
    emit.Bytes({0x65, 0x4c, 0x8b, 0x1c, 0x25});  // mov %gs:direct,%r11
    emit.Word32(GUISE_DIRECT);
    emit.Bytes({0x4d, 0x8b, 0x9b});  // mov 8*nr(%r11),%r11
    emit.Word32(plan.nr * sizeof(wire::DirectWord));
    emit.Bytes({0x41, 0x0f, 0xb6, 0xcb});  // movzbl %r11b,%ecx
    if (plan.direct_gate == 0 || far) {
      emit.Bytes({0xe3, 0x02});  // jrcxz over
      emit.Bytes({0xeb});        // jmp slow
      emit.Short(slow);
    } else {
      emit.Bytes({0xe3, 24});                // jrcxz over
      emit.Bytes({0x65, 0xc7, 0x04, 0x25});  // movl $index,%gs:site
      emit.Word32(GUISE_SITE);
      emit.Word32(plan.index);
      emit.Bytes({0x48, 0x8d, 0x0d});  // lea called(%rip),%rcx
      to_called_at = emit.at();
      emit.Word32(0);
      emit.Bytes({0xe9});  // jmp direct_gate
      emit.Relative(plan.direct_gate);
    }
    emit.Bytes({0x44, 0x89, 0xd9});              // mov %r11d,%ecx
    emit.Bytes({0x0f, 0xb6, 0xcd});              // movzbl %ch,%ecx
    emit.Bytes({0x65, 0x4c, 0x8b, 0x1c, 0x25});  // mov %gs:calls,%r11
    emit.Word32(GUISE_CALLS);
    emit.Bytes({0x4d, 0x8d, 0x1c, 0x0b});  // lea (%r11,%rcx),%r11
    emit.Bytes({0x49, 0x8b, 0x0b});        // mov (%r11),%rcx
    emit.Bytes({0x48, 0x8d, 0x49, 0x01});  // lea 1(%rcx),%rcx
    emit.Bytes({0x49, 0x89, 0x0b});        // mov %rcx,(%r11)
    emit.Bytes({0x65, 0xc6, 0x04, 0x25});  // movb $0,%gs:has_temp_mask
    emit.Word32(GUISE_HAS_TEMP_MASK);
    emit.Bytes({0x00});
    head.call_at = static_cast<uint8_t>(emit.at());
    if (!far) {
      emit.Bytes({0x0f, 0x05});  // syscall
    } else {
      emit.Bytes({0xff, 0x25});  // jmp *call(%rip)
      far_call_at = emit.at();
      emit.Word32(0);
    }
  }
  head.after_at = static_cast<uint8_t>(emit.at());
  if (to_called_at != 0) emit.SetRelative(to_called_at);
  emit.Bytes({0x48, 0x8d, 0x0d});  // lea after(%rip),%rcx
  emit.Relative(plan.after);
  head.body_at = static_cast<uint8_t>(emit.at());
  emit.Bytes(plan.body, plan.body_size);
  emit.Bytes({0xe9});  // jmp back
  emit.Relative(plan.after + plan.body_size);

  const auto constant = [&](size_t used_at, uint64_t value) {
    if (used_at == 0) return;
    emit.SetRelative(used_at);
    emit.Word64(value);
  };
  constant(far_gate_at, plan.gate);
  constant(far_call_at, plan.far_call);
  if (!emit.fits()) return 0;
  head.size = static_cast<uint8_t>(sizeof(head) + emit.at());
  memcpy(to, &head, sizeof(head));
  return head.size;
}

}  // namespace guise::shim
