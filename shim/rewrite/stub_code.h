// The code of a rewritten site's stub: what the jump at the site leads to.
//
//   at the site   jmp code              in the place of the syscall instruction and the first bytes behind it
//   code          the instructions that a jump in front of the site displaced
//                 is the thread's block in %gs, and the number the one that the stub is for? else to the gate
//                 do the arguments that are paths begin with "/pro" or "/dev"? to the gate; also while a fault of the
//                 guest's is blocked, for reading them may fault (the thread is then caught, signal/fault.cc)
//                 are the arguments that are fds below the guarded ones? else to the gate
//                 does the direct table say that the call is native? else to the gate; of some numbers to
//                 guise_direct_gate
//                 count; no mask of the call's own; syscall; rcx := behind the site
//   body          the instruction that the jump displaced; jmp behind it
//
// Flags stay as they are, nothing is written below the stack pointer; rcx and r11 are free until the call.
#ifndef GUISE_SHIM_REWRITE_STUB_CODE_H_
#define GUISE_SHIM_REWRITE_STUB_CODE_H_

#include <stddef.h>
#include <stdint.h>

namespace guise::shim {

// Where a call is looked at before it may run natively.
enum class Route : uint8_t {
  kStub,  // there: nothing of the shim's own but whether fds are guarded, and how paths begin
  kGate,  // more than that
};
// How many arguments a stub has room to look at.
inline constexpr int kStubLooks = 2;

// In front of the code. Offsets are from the code's first byte.
struct StubHead {
  uint64_t after;     // the address behind the site's syscall instruction
  uint32_t index;     // of the site's entry in the stub table
  uint8_t call_at;    // the native call, or the jump to the stub table's
  uint8_t after_at;   // where it comes back
  uint8_t body_at;    // the displaced instruction
  uint8_t size;       // of head and code
  uint8_t body_size;  // of the displaced instruction
  uint8_t jump_at;    // where the jump to here stands, from the site; 0: in the site's place
  uint8_t ahead;      // how far in front of the site it stands, which the code begins with the text of; 0: it does not
  uint8_t under_jump[5];  // jump_at != 0: what stood there
};
static_assert(sizeof(StubHead) == 24);

inline constexpr size_t kMaxStub = 240;

struct StubPlan {
  uint64_t code;              // address of the code, behind the head
  uint64_t after;             // as in StubHead
  uint32_t index;             //
  uint32_t nr;                // below wire::kTableNumbers
  Route route;                //
  uint8_t fds;                // with kStub: bit i: argument i is an fd
  uint8_t paths;              // with kStub: bit i: argument i is a path; at most kStubLooks of both
  uint64_t gate;              // address of guise_gate
  uint64_t direct_gate;       // address of guise_direct_gate, in a near stub with kStub; 0: the gate is good enough
  uint64_t far_call;          // where the native call is made; 0: in the stub
  const uint8_t* body;        // the displaced instruction
  size_t body_size;           // 0: nothing was displaced
  uint8_t jump_at;            // as in StubHead
  const uint8_t* under_jump;  // as in StubHead; null: jump_at is 0
  const uint8_t* front;       // the instructions in front of the site that were displaced
  uint8_t ahead;              // their size, as in StubHead
};

// Writes head and code to `to`. Their size does not depend on addresses; 0: too large. REQUIRES: with far_call == 0 all
// addresses are within 2 GiB of each other.
size_t AssembleStub(const StubPlan& plan, uint8_t (&to)[kMaxStub]);

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_STUB_CODE_H_
