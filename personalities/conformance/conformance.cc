#include "personalities/conformance/conformance.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "personalities/conformance/through.h"
#include "proto/syscall/names.h"
#include "proto/syscall/table.h"
#include "proto/wire/slot.h"
#include "proto/wire/store.h"
#include "server/stack/allocations.h"
#include "server/stack/conversation.h"
#include "server/stack/epoch.h"
#include "server/stack/native_guest.h"

namespace guise::personalities {

using server::Answer;
using server::CallCopy;
using server::Conversation;
using server::Epoch;
using server::NativeGuest;
using wire::Verb;

namespace {

// A session, and a guest made of random bytes.
class RandomGuest {
 public:
  RandomGuest(const api::Registry& registry, std::vector<std::string> layers, bool sandboxed) {
    server::EpochSpec spec;
    spec.sandboxed = sandboxed;
    spec.layers = std::move(layers);
    spec.owner_uid = spec.owner_gid = 1000;
    const auto epoch = Epoch::Compile(registry, spec);
    if (epoch.ok()) epoch_ = *epoch;
  }

  bool ok() const { return epoch_ != nullptr; }
  uint64_t heap_frames() { return guest_.parts().heap_frames; }
  // What answering has taken from the heap so far; what the guest has is left out.
  uint64_t allocations() const { return allocations_; }

  // Makes the call that `seed` names. Cancels it when it asks for the native call number `cancel_at`.
  // Returns its answers; the last is kRun only when it was cancelled.
  std::vector<Answer> Call(uint32_t nr, uint32_t seed, size_t cancel_at = ~size_t{0}) {
    std::mt19937 random(seed);
    CallCopy call;
    call.slot = 1;
    call.sequence = ++sequence_;
    call.nr = nr;
    call.process_generation = 1;
    std::array<std::string, 6> memory;
    for (size_t i = 0; i < 6; ++i) {
      call.args[i] = Word(random);
      memory[i] = std::string(random() % 64, static_cast<char>('a' + random() % 26));
      if (random() % 4 != 0) call.copies[i] = memory[i];
    }
    std::vector<Answer> answers;
    answers.reserve(wire::kLoggedSteps + 1);
    const uint64_t before = server::Allocations();
    answers.push_back(conversation_.Begin(epoch_, call, absl::MakeSpan(outbound_)));
    while (answers.back().verb == Verb::kRun) {
      if (answers.size() > cancel_at) {
        conversation_.Cancel();
        break;
      }
      for (size_t i = 0; i < conversation_.run_area_used(); ++i) run_area_[i] = static_cast<char>(random());
      const uint64_t result = random() % 2 == 0 ? 0 : Word(random);
      last_result_ = result;
      answers.push_back(
          conversation_.Step(result, absl::MakeConstSpan(run_area_.data(), conversation_.run_area_used())));
    }
    allocations_ += server::Allocations() - before;
    return answers;
  }

  // The result of the last Run.
  uint64_t last_result() const { return last_result_; }

 private:
  // Numbers that kernels and guests like: small ones, errors, ends of ranges, noise.
  static uint64_t Word(std::mt19937& random) {
    switch (random() % 6) {
      case 0:
        return random() % 5;
      case 1:
        return static_cast<uint64_t>(-static_cast<int64_t>(random() % 133));
      case 2:
        return 0xffffffff;
      case 3:
        return uint64_t{random()};
      default:
        return uint64_t{random()} << 32 | random();
    }
  }

  NativeGuest guest_;  // for its store
  Conversation conversation_{1, guest_.parts()};
  std::shared_ptr<const Epoch> epoch_;
  uint64_t sequence_ = 0;
  uint64_t allocations_ = 0;
  uint64_t last_result_ = 0;
  std::array<char, wire::kPayloadSize> outbound_ = {};
  std::array<char, wire::kPayloadSize - wire::kRunAreaOffset> run_area_ = {};
};

bool Same(const Answer& a, const Answer& b) {
  return a.verb == b.verb && a.nr == b.nr && a.flags == b.flags && std::memcmp(a.args, b.args, sizeof(a.args)) == 0;
}

bool Same(const std::vector<Answer>& a, const std::vector<Answer>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Answer& x, const Answer& y) { return Same(x, y); });
}

std::string LayerOf(const Subject& subject) {
  const std::string name(subject.registration.name);
  return subject.argument.empty() ? name : name + ":" + subject.argument;
}

std::vector<std::string> WithThrough(std::vector<std::string> layers) {
  layers.insert(layers.begin(), "through");
  return layers;
}

constexpr uint32_t kSeeds = 200;

}  // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ConformanceTest);

ConformanceTest::ConformanceTest() {
  (void)registry_.Add(GetParam().registration);
  (void)registry_.Add(Through::Register());
  Make()->Claim(claims_);
  sandboxed_ = claims_.speaks_for_sandbox();
  for (const api::Claim& claim : claims_.all()) calls_.insert(claim.nr);
  for (const Subject& subject : GetParam().beneath) {
    (void)registry_.Add(subject.registration);
    api::Claims claims;
    subject.registration.make(subject.argument).value()->Claim(claims);
    sandboxed_ |= claims.speaks_for_sandbox();
    for (const api::Claim& claim : claims.all()) calls_.insert(claim.nr);
  }
}

std::string ConformanceTest::Layer() const { return LayerOf(GetParam()); }

std::vector<std::string> ConformanceTest::Stack() const {
  std::vector<std::string> layers = {Layer()};
  for (const Subject& subject : GetParam().beneath) layers.push_back(LayerOf(subject));
  return layers;
}

std::unique_ptr<api::Personality> ConformanceTest::Make() const {
  return GetParam().registration.make(GetParam().argument).value();
}

TEST_P(ConformanceTest, IsRegisteredUnderItsOwnName) {
  api::Registry registry;
  EXPECT_TRUE(registry.Add(GetParam().registration).ok());
  EXPECT_EQ(Make()->Name(), GetParam().registration.name);
}

TEST_P(ConformanceTest, ClaimsTheSameEachTime) {
  api::Claims second;
  Make()->Claim(second);
  ASSERT_EQ(claims_.all().size(), second.all().size());
  for (size_t i = 0; i < claims_.all().size(); ++i) {
    const api::Claim& a = claims_.all()[i];
    const api::Claim& b = second.all()[i];
    EXPECT_TRUE(a.verb == b.verb && a.nr == b.nr && a.value == b.value && a.handler == b.handler && a.guard == b.guard)
        << syscall::Name(a.nr);
  }
}

TEST_P(ConformanceTest, CompilesAloneAndBeneathAnother) {
  for (const std::vector<std::string>& layers : {Stack(), WithThrough(Stack())}) {
    if (Layer() == "linux" && layers.size() > 1) continue;  // stands alone
    server::EpochSpec spec;
    spec.layers = layers;
    spec.sandboxed = sandboxed();
    EXPECT_TRUE(Epoch::Compile(registry_, spec).ok()) << Epoch::Compile(registry_, spec).status();
  }
}

TEST_P(ConformanceTest, EveryClaimedCallEndsWhateverTheGuestSays) {
  RandomGuest guest(registry_, Stack(), sandboxed());
  ASSERT_TRUE(guest.ok());
  for (const uint32_t nr : calls_) {
    for (uint32_t seed = 0; seed < kSeeds; ++seed) {
      const std::vector<Answer> answers = guest.Call(nr, seed);
      EXPECT_LT(answers.size(), wire::kLoggedSteps) << syscall::Name(nr);
      EXPECT_NE(answers.back().verb, Verb::kRun);
    }
  }
  EXPECT_EQ(guest.heap_frames(), 0u) << "frames must fit the arena of a slot";
}

TEST_P(ConformanceTest, ACallThatHasBeenMadeBeforeTakesNothingFromTheHeap) {
  for (const uint32_t nr : calls_) {
    RandomGuest guest(registry_, Stack(), sandboxed());
    ASSERT_TRUE(guest.ok());
    // In two rounds: what is kept of a call may need room once.
    for (uint32_t seed = 0; seed < kSeeds; ++seed) guest.Call(nr, seed);
    const uint64_t before = guest.allocations();
    for (uint32_t seed = 0; seed < kSeeds; ++seed) guest.Call(nr, seed);
    EXPECT_EQ(guest.allocations() - before, 0u) << syscall::Name(nr);
  }
}

TEST_P(ConformanceTest, AnswersTheSameWhenItIsRunAgain) {
  for (const uint32_t nr : calls_) {
    RandomGuest first(registry_, Stack(), sandboxed());
    RandomGuest second(registry_, Stack(), sandboxed());
    ASSERT_TRUE(first.ok() && second.ok());
    for (uint32_t seed = 0; seed < kSeeds; ++seed) {
      EXPECT_TRUE(Same(first.Call(nr, seed), second.Call(nr, seed))) << syscall::Name(nr);
    }
  }
}

TEST_P(ConformanceTest, ACancelledCallLeavesNoTrace) {
  for (const uint32_t nr : calls_) {
    RandomGuest cancelled(registry_, Stack(), sandboxed());
    RandomGuest whole(registry_, Stack(), sandboxed());
    ASSERT_TRUE(cancelled.ok() && whole.ok());
    for (uint32_t seed = 0; seed < kSeeds / 10; ++seed) {
      const std::vector<Answer> expected = whole.Call(nr, seed);
      for (size_t step = 1; step < expected.size(); ++step) cancelled.Call(nr, seed, step - 1);
      EXPECT_TRUE(Same(cancelled.Call(nr, seed), expected)) << syscall::Name(nr);
    }
  }
}

TEST_P(ConformanceTest, AnswersTheSameBeneathALayerThatPassesOn) {
  if (Layer() == "linux") GTEST_SKIP() << "linux is the empty stack and stands alone";
  for (const uint32_t nr : calls_) {
    RandomGuest alone(registry_, Stack(), sandboxed());
    RandomGuest beneath(registry_, WithThrough(Stack()), sandboxed());
    ASSERT_TRUE(alone.ok() && beneath.ok());
    for (uint32_t seed = 0; seed < kSeeds; ++seed) {
      std::vector<Answer> expected = alone.Call(nr, seed);
      std::vector<Answer> answers = beneath.Call(nr, seed);
      if (expected.back().verb == Verb::kTail) {
        // Awaited, a Tail is a Run whose result is returned.
        Answer& last = expected.back();
        last.verb = Verb::kRun;
        Answer result;
        result.verb = Verb::kReturn;
        result.args[0] = beneath.last_result();
        expected.push_back(result);
      }
      EXPECT_TRUE(Same(answers, expected)) << syscall::Name(nr) << ", seed " << seed;
    }
  }
}

}  // namespace guise::personalities
