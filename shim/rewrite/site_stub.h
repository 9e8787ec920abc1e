// The stub of a site: planned by the text, put where there is room for it, and found again.
#ifndef GUISE_SHIM_REWRITE_SITE_STUB_H_
#define GUISE_SHIM_REWRITE_SITE_STUB_H_

#include <stdint.h>

#include "proto/wire/request.h"
#include "shim/rewrite/stub_code.h"
#include "shim/rewrite/text_writer.h"

namespace guise::shim {

// Whether sites that make this call may be rewritten.
bool IsRewritable(uint32_t nr);

struct MadeStub {
  const StubHead* head;  // null: none
  wire::SiteKept why;    // there is none
};
// A site, and the call that it makes.
struct SiteToRewrite {
  uint64_t after;  // behind it
  uint32_t nr;
  uint32_t plan;  // of wire::BookSite
};
// Nothing leads to the stub yet. REQUIRES: the caller is the process's patcher; IsRewritable(nr).
MadeStub MakeStub(TextWriter& writer, const SiteToRewrite& wanted, bool alone);

// Whether the site's text that a jump takes, or the instruction that moves, lies on two pages: a change of one of them
// takes the jump away first. A few sites of a process may be so; while it has one thread.
bool LiesOnTwoPages(const StubHead* head);
// Whether there is such a site with a part in the range.
bool MeetsTwoPages(uint64_t start, uint64_t size);
// It has no jump any more.
void ForgetTwoPages(const StubHead* head);

// Who comes back from a call at the site goes on in the stub from here on, whether or not a jump leads there. REQUIRES:
// the caller is the process's patcher.
void LeadToStub(const StubHead* head);
// Adds a stub that a jump leads to now to the session's counts.
void CountStub(const StubHead* head);

// Whether some site has a stub, or had; whether one that is in the range may.
bool HasRewritten();
bool MayHaveRewritten(uint64_t start, uint64_t size);
// The stub that the site in front of `after` has, whether or not its text leads there; or null.
const StubHead* StubOf(uint64_t after);

}  // namespace guise::shim

#endif  // GUISE_SHIM_REWRITE_SITE_STUB_H_
