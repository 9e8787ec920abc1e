// No call costs an allocation once its slot is warm: frames lie in the slot's arena, also with layers. The conformance
// suite says so of every claimed call of every personality, whose random guests get some of them half-way; here calls
// are made that get to their end.

// In this order: linux/sysctl.h takes size_t as given.
// clang-format off
#include <stddef.h>
#include <linux/sysctl.h>
// clang-format on
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "personalities/api/claims.h"
#include "personalities/api/personality.h"
#include "personalities/fakeroot/fakeroot.h"
#include "personalities/legacy/legacy.h"
#include "server/stack/allocations.h"
#include "server/stack/conversation.h"
#include "server/stack/native_guest.h"

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
    (void)registry_.Add(personalities::Legacy::Register());
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
    guest_.Call(Nr::setfsuid, i % 3);
    guest_.Call(Nr::mkdir, "directory/name", 0755);
    guest_.Call(Nr::openat, 3, "name", O_CREAT, 0644);
    guest_.Call(Nr::newfstatat, 3, "name", stat, 0);
    guest_.Call(Nr::read, 3);
    guest_.Call(Nr::write, 3);
  };
  for (int i = 0; i < 100; ++i) round(i);
  const uint64_t before = Allocations();
  for (int i = 0; i < 1000; ++i) round(i);
  EXPECT_EQ(Allocations() - before, 0u);
  EXPECT_EQ(guest_.parts().heap_frames, 0u);
}

INSTANTIATE_TEST_SUITE_P(Stacks, AllocationTest,
                         testing::Values(std::vector<std::string>{"fakeroot"},
                                         std::vector<std::string>{"through", "fakeroot"},
                                         std::vector<std::string>{"through", "through2", "fakeroot"}));

// What legacy serves, made by the kernel for real.
class OldCallsTest : public AllocationTest {
 protected:
  // One of each, and what it must be.
  void Round() {
    pollfd none = {-1, POLLIN, 0};
    fd_set set;
    FD_ZERO(&set);
    timeval no_time = {0, 0};
    time_t now = 0;
    const utimbuf plain = {1000, 2000};
    const timeval fine[2] = {{3000, 500}, {4000, 999}};
    char text[256];
    const SysResult epoll = guest_.Call(Nr::epoll_create, 1);
    EXPECT_TRUE(epoll.ok());
    close(static_cast<int>(epoll.value()));
    EXPECT_EQ(lseek(directory_, 0, SEEK_SET), 0);
    EXPECT_GT(guest_.Call(Nr::getdents, directory_, text, sizeof(text)).value(), 0u);
    EXPECT_EQ(guest_.Call(Nr::poll, &none, 1, 0), SysResult::Ok());
    EXPECT_EQ(guest_.Call(Nr::select, 0, &set, nullptr, nullptr, &no_time), SysResult::Ok());
    EXPECT_EQ(guest_.Call(Nr::alarm, 0), SysResult::Ok());
    const SysResult told = guest_.Call(Nr::time, &now);
    EXPECT_EQ(told, SysResult::Ok(static_cast<uint64_t>(now)));
    EXPECT_EQ(guest_.Call(Nr::utime, file_.c_str(), &plain), SysResult::Ok());
    EXPECT_EQ(guest_.Call(Nr::utimes, file_.c_str(), fine), SysResult::Ok());
    EXPECT_EQ(guest_.Call(Nr::futimesat, AT_FDCWD, file_.c_str(), fine), SysResult::Ok());
    EXPECT_EQ(guest_.Call(Nr::dup2, 1, 1), SysResult::Ok(1));
    AskFileSystems(text);
    AskSettings(text);
    EXPECT_EQ(guest_.Call(Nr::uselib, "/bin/sh"), SysResult::Error(ENOEXEC));
    EXPECT_FALSE(guest_.Call(Nr::lookup_dcookie, 1, text, sizeof(text)).ok());
  }

  void AskFileSystems(char* text) {
    char reply[32];
    EXPECT_GT(guest_.Call(Nr::sysfs, 3).value(), 2u);
    EXPECT_EQ(guest_.Call(Nr::sysfs, 2, 1, text), SysResult::Ok());
    EXPECT_EQ(guest_.Call(Nr::sysfs, 1, text), SysResult::Ok(1));
    struct stat root = {};
    EXPECT_EQ(stat("/proc", &root), 0);
    EXPECT_EQ(guest_.Call(Nr::ustat, root.st_dev, reply), SysResult::Ok());
  }

  void AskSettings(char* text) {
    int names[][3] = {{CTL_KERN, KERN_OSRELEASE},
                      {CTL_KERN, KERN_OSTYPE},
                      {CTL_KERN, KERN_SEM},
                      {CTL_KERN, KERN_SHMMAX},
                      {CTL_KERN, KERN_RANDOM, RANDOM_UUID}};
    for (int(&name)[3] : names) {
      size_t size = 256;
      __sysctl_args args = {};
      args.name = name;
      args.nlen = name[2] == 0 ? 2 : 3;
      args.oldval = text;
      args.oldlenp = &size;
      EXPECT_EQ(guest_.Call(Nr::_sysctl, &args), SysResult::Ok()) << name[1];
    }
  }

  void SetUp() override {
    guest_.set_host(nullptr);
    char name[] = "/tmp/allocation_test.XXXXXX";
    const int file = mkstemp(name);
    ASSERT_GE(file, 0);
    close(file);
    file_ = name;
    directory_ = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_GE(directory_, 0);
  }

  void TearDown() override {
    close(directory_);
    unlink(file_.c_str());
  }

  std::string file_;
  int directory_ = -1;
};

TEST_P(OldCallsTest, AWarmCallAllocatesNothing) {
  ASSERT_TRUE(guest_.Wear(registry_, GetParam()).ok());
  for (int i = 0; i < 10; ++i) Round();
  const uint64_t before = Allocations();
  for (int i = 0; i < 20; ++i) Round();
  EXPECT_EQ(Allocations() - before, 0u);
  EXPECT_EQ(guest_.parts().heap_frames, 0u);
}

INSTANTIATE_TEST_SUITE_P(Stacks, OldCallsTest,
                         testing::Values(std::vector<std::string>{"legacy:el6"},
                                         std::vector<std::string>{"fakeroot", "legacy:el6"}));

TEST_F(AllocationTest, AFrameThatDoesNotFitIsCounted) {
  ASSERT_TRUE(guest_.Wear(registry_, {"greedy"}).ok());
  const uint64_t before = Allocations();
  EXPECT_EQ(guest_.Call(Nr::read, 3), SysResult::Ok());
  EXPECT_EQ(guest_.parts().heap_frames, 1u);
  EXPECT_GE(Allocations() - before, 1u);
}

}  // namespace
}  // namespace guise::server
