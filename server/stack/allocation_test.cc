// No call costs an allocation once its slot is warm: frames lie in the slot's arena, also with layers.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "personalities/api/claims.h"
#include "personalities/api/personality.h"
#include "personalities/fakeroot/fakeroot.h"
#include "server/stack/conversation.h"
#include "server/stack/native_guest.h"

namespace {
uint64_t allocations = 0;
}

// All forms of new come here. Not inlined: compilers would see malloc behind new, free behind delete, and warn.
__attribute__((noinline)) void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace guise::server {
namespace {

using api::Below;
using api::Call;
using api::Nr;
using api::SysResult;
using api::SysTask;

// Passes every call of the personality beneath on, awaiting it.
class Through : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "through"; }
  void Claim(api::Claims& claims) const override {
    claims.Serve<Nr::fchownat, &Through::Pass>(*this);
    claims.Serve<Nr::setresuid, &Through::Pass>(*this);
    claims.Serve<Nr::getresuid, &Through::Pass>(*this);
    claims.Serve<Nr::newfstatat, &Through::Pass>(*this);
    claims.Serve<Nr::read, &Through::Pass>(*this);
  }

 private:
  SysTask Pass(Call& call, Below below) const {
    const SysResult result = co_await below(call);
    co_return result;
  }
};

class Through2 : public Through {
 public:
  std::string_view Name() const noexcept override { return "through2"; }
};

// The compiler must believe that all of it is written and read here.
__attribute__((noinline)) void KeepAlive(const char* large) { asm volatile("" : : "r"(large) : "memory"); }

// Does not fit.
class Greedy : public api::Personality {
 public:
  std::string_view Name() const noexcept override { return "greedy"; }
  void Claim(api::Claims& claims) const override { claims.Serve<Nr::read, &Greedy::Read>(*this); }

 private:
  SysTask Read(Call& call, Below) const {
    char large[4096];
    KeepAlive(large);
    const SysResult result = co_await call.Run(Nr::getppid);
    KeepAlive(large);
    co_return result;
  }
};

class AllocationTest : public testing::TestWithParam<std::vector<std::string>> {
 protected:
  AllocationTest() {
    (void)registry_.Add(personalities::Fakeroot::Register());
    (void)registry_.Add({"through", &api::MakeWithoutArgument<Through>});
    (void)registry_.Add({"through2", &api::MakeWithoutArgument<Through2>});
    (void)registry_.Add({"greedy", &api::MakeWithoutArgument<Greedy>});
    guest_.set_host([this](uint32_t, const std::array<uint64_t, 6>&) { return SysResult::Ok(host_result_); });
  }

  api::Registry registry_;
  NativeGuest guest_;
  uint64_t host_result_ = 0;
};

TEST_P(AllocationTest, AWarmCallAllocatesNothing) {
  ASSERT_TRUE(guest_.Wear(registry_, GetParam()).ok());
  uint32_t ids[3];
  char stat[256];
  const auto round = [&](int i) {
    guest_.Call(Nr::fchownat, 3, "name", i % 7, i % 5, 0);
    guest_.Call(Nr::setresuid, i % 2, 0, 0);
    guest_.Call(Nr::getresuid, &ids[0], &ids[1], &ids[2]);
    guest_.Call(Nr::newfstatat, 3, "name", stat, 0);
    guest_.Call(Nr::read, 3);
    guest_.Call(Nr::write, 3);
  };
  for (int i = 0; i < 100; ++i) round(i);
  const uint64_t before = allocations;
  for (int i = 0; i < 1000; ++i) round(i);
  EXPECT_EQ(allocations - before, 0u);
  EXPECT_EQ(guest_.parts().heap_frames, 0u);
}

INSTANTIATE_TEST_SUITE_P(Stacks, AllocationTest,
                         testing::Values(std::vector<std::string>{"fakeroot"},
                                         std::vector<std::string>{"through", "fakeroot"},
                                         std::vector<std::string>{"through", "through2", "fakeroot"}));

TEST_F(AllocationTest, AFrameThatDoesNotFitIsCounted) {
  ASSERT_TRUE(guest_.Wear(registry_, {"greedy"}).ok());
  const uint64_t before = allocations;
  EXPECT_EQ(guest_.Call(Nr::read, 3), SysResult::Ok());
  EXPECT_EQ(guest_.parts().heap_frames, 1u);
  EXPECT_GE(allocations - before, 1u);
}

}  // namespace
}  // namespace guise::server
