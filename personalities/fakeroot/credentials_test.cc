// get*id, set*id and capabilities against the oracle: real root. The same random calls are made natively by a child
// that is root, and through the personality; after each, the result and all ids must be equal.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "personalities/api/personality.h"
#include "personalities/fakeroot/fakeroot.h"
#include "server/stack/native_guest.h"

namespace guise::personalities {
namespace {

using api::SysResult;
using server::NativeGuest;
using syscall::Nr;

using Caller = std::function<SysResult(Nr nr, uint64_t a, uint64_t b, uint64_t c)>;

uint64_t Address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

constexpr __user_cap_header_struct kOwnCapabilities = {_LINUX_CAPABILITY_VERSION_3, 0};
using CapabilityWords = std::array<__user_cap_data_struct, 2>;

CapabilityWords CapabilitiesBy(const Caller& call) {
  CapabilityWords words = {};
  call(Nr::capget, Address(&kOwnCapabilities), Address(words.data()), 0);
  return words;
}

// Those that root has here: a container's has fewer than fakeroot's.
const CapabilityWords& RootsCapabilities() {
  static const CapabilityWords kWords = CapabilitiesBy([](Nr nr, uint64_t a, uint64_t b, uint64_t c) {
    return NativeGuest::DoNatively(static_cast<uint32_t>(nr), {a, b, c, 0, 0, 0});
  });
  return kWords;
}

// All that a process can ask about its ids and capabilities, and what a call answered.
std::vector<uint64_t> Observe(const Caller& call) {
  std::vector<uint64_t> seen;
  const CapabilityWords words = CapabilitiesBy(call);
  for (size_t i = 0; i < words.size(); ++i) {
    const uint32_t mask = RootsCapabilities()[i].permitted;
    seen.insert(seen.end(), {words[i].effective & mask, words[i].permitted & mask, words[i].inheritable & mask});
  }
  std::array<uint32_t, 3> ids = {};
  for (const Nr nr : {Nr::getresuid, Nr::getresgid}) {
    seen.push_back(call(nr, Address(&ids[0]), Address(&ids[1]), Address(&ids[2])).raw());
    seen.insert(seen.end(), ids.begin(), ids.end());
  }
  for (const Nr nr : {Nr::getuid, Nr::geteuid, Nr::getgid, Nr::getegid}) seen.push_back(call(nr, 0, 0, 0).raw());
  // -1 is no id: both only tell.
  for (const Nr nr : {Nr::setfsuid, Nr::setfsgid}) seen.push_back(call(nr, uint64_t{0xffffffff}, 0, 0).raw());
  std::array<uint32_t, 64> groups = {};
  seen.push_back(call(Nr::getgroups, groups.size(), Address(groups.data()), 0).raw());
  seen.insert(seen.end(), groups.begin(), groups.end());
  seen.push_back(call(Nr::getgroups, 0, 0, 0).raw());
  seen.push_back(call(Nr::getgroups, 1, Address(groups.data()), 0).raw());
  seen.push_back(call(Nr::getgroups, static_cast<uint64_t>(-1), 0, 0).raw());
  return seen;
}

// A random capset of some of what there is, and at times of one more.
SysResult SetCapabilities(std::mt19937& random, const Caller& call) {
  static constexpr std::array<int, 6> kCapabilities = {CAP_CHOWN,   CAP_SETUID,       CAP_SETGID,
                                                       CAP_SETPCAP, CAP_DAC_OVERRIDE, CAP_MKNOD};
  CapabilityWords words = CapabilitiesBy(call);
  for (size_t i = 0; i < words.size(); ++i) {
    const uint32_t mask = RootsCapabilities()[i].permitted;
    words[i] = {words[i].effective & mask, words[i].permitted & mask, words[i].inheritable & mask};
  }
  for (uint32_t* set : {&words[0].effective, &words[0].permitted, &words[0].inheritable}) {
    *set ^= 1u << kCapabilities[random() % kCapabilities.size()];
    if (random() % 2 == 0) *set = words[0].permitted;
  }
  return call(Nr::capset, Address(&kOwnCapabilities), Address(words.data()), 0);
}

// One random set*id; the same for the same state of `random`.
SysResult MakeOne(std::mt19937& random, const Caller& call) {
  // -1 is no id for some calls and "keep" for others; few ids, so that they meet.
  static constexpr std::array<uint32_t, 8> kIds = {0, 0, 1, 2, 3, 0xffffffff, 0xffffffff, 0xfffffffe};
  static constexpr std::array<Nr, 11> kCalls = {Nr::setuid,    Nr::setgid,    Nr::setreuid, Nr::setregid,
                                                Nr::setresuid, Nr::setresgid, Nr::setfsuid, Nr::setfsgid,
                                                Nr::setgroups, Nr::setresuid, Nr::setresgid};
  const auto id = [&] { return uint64_t{kIds[random() % kIds.size()]}; };
  const uint32_t other = random() % 16;
  if (other == 0) return SetCapabilities(random, call);
  if (other == 1) return call(Nr::prctl, PR_SET_KEEPCAPS, random() % 2, 0);
  const Nr nr = kCalls[random() % kCalls.size()];
  const uint64_t a = id();
  const uint64_t b = id();
  const uint64_t c = id();
  if (nr != Nr::setgroups) return call(nr, a, b, c);
  std::array<uint32_t, 64> groups = {};
  for (uint32_t& group : groups) group = random() % 200;
  const uint64_t kind = random() % 10;
  if (kind == 0) groups[1] = 0xffffffff;
  if (kind == 1) return call(nr, static_cast<uint64_t>(-1), Address(groups.data()), 0);
  if (kind == 2) return call(nr, 3, 0, 0);
  if (kind == 3) return call(nr, 65537, Address(groups.data()), 0);
  return call(nr, random() % groups.size(), Address(groups.data()), 0);
}

constexpr int kCallsEach = 40;

std::vector<std::vector<uint64_t>> Play(uint32_t seed, const Caller& call) {
  std::mt19937 random(seed);
  call(Nr::prctl, PR_SET_KEEPCAPS, 0, 0);
  std::vector<std::vector<uint64_t>> seen = {Observe(call)};
  for (int i = 0; i < kCallsEach; ++i) {
    const SysResult result = MakeOne(random, call);
    seen.push_back(Observe(call));
    seen.back().push_back(result.raw());
  }
  return seen;
}

std::vector<std::vector<uint64_t>> PlayAsRoot(uint32_t seed) {
  int fds[2];
  if (pipe(fds) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    const Caller native = [](Nr nr, uint64_t a, uint64_t b, uint64_t c) {
      return NativeGuest::DoNatively(static_cast<uint32_t>(nr), {a, b, c, 0, 0, 0});
    };
    const std::array<uint32_t, 1> groups = {0};
    native(Nr::setgroups, 1, reinterpret_cast<uint64_t>(groups.data()), 0);
    for (const std::vector<uint64_t>& line : Play(seed, native)) {
      const auto size = static_cast<ssize_t>(line.size() * sizeof(uint64_t));
      const uint64_t count = line.size();
      if (write(fds[1], &count, sizeof(count)) != sizeof(count) || write(fds[1], line.data(), size) != size) _exit(1);
    }
    _exit(0);
  }
  close(fds[1]);
  std::vector<std::vector<uint64_t>> seen;
  uint64_t count = 0;
  while (read(fds[0], &count, sizeof(count)) == sizeof(count)) {
    std::vector<uint64_t>& line = seen.emplace_back(count);
    auto* to = reinterpret_cast<char*>(line.data());
    for (size_t got = 0; got < count * sizeof(uint64_t);) {
      const ssize_t more = read(fds[0], to + got, count * sizeof(uint64_t) - got);
      if (more <= 0) return {};
      got += static_cast<size_t>(more);
    }
  }
  close(fds[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? seen : std::vector<std::vector<uint64_t>>();
}

class CredentialsTest : public testing::Test {
 protected:
  CredentialsTest() { (void)registry_.Add(Fakeroot::Register()); }

  api::Registry registry_;
};

TEST_F(CredentialsTest, RandomSetIdsAnswerAndLeaveWhatRealRootGets) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: real root is the oracle";
  int errors = 0;
  for (uint32_t seed = 1; seed <= 150; ++seed) {
    NativeGuest guest;
    ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
    guest.set_host([](uint32_t nr, const std::array<uint64_t, 6>& args) {
      // What the value of a capset is read by, and the flag that keeps capabilities.
      static const std::set<Nr> kHarmless = {Nr::prctl, Nr::memfd_create, Nr::pwrite64, Nr::pread64, Nr::close};
      EXPECT_TRUE(kHarmless.contains(Nr{nr})) << nr << ": ids of the host must not change";
      return NativeGuest::DoNatively(nr, args);
    });
    const auto fake = Play(seed, [&](Nr nr, uint64_t a, uint64_t b, uint64_t c) { return guest.Call(nr, a, b, c); });
    const auto native = PlayAsRoot(seed);
    ASSERT_EQ(native.size(), kCallsEach + 1u);
    for (size_t i = 0; i < native.size(); ++i) {
      ASSERT_EQ(fake[i], native[i]) << "seed " << seed << ", after call " << i;
      if (i > 0 && native[i].back() != 0) ++errors;
    }
  }
  EXPECT_GT(errors, 100) << "the calls were too tame to test refusals";
}

TEST_F(CredentialsTest, ASetIdThatChangesNothingKeepsTheConstants) {
  NativeGuest guest;
  ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
  EXPECT_EQ(guest.Call(Nr::setuid, 0), SysResult::Ok());
  EXPECT_EQ(guest.Call(Nr::setresgid, 0, -1, 0), SysResult::Ok());
  EXPECT_FALSE(guest.store().past().diverged);
  EXPECT_EQ(guest.republished(), 0u);
  EXPECT_EQ(guest.epoch().tables().placement[102], wire::Placement::kShim);
}

TEST_F(CredentialsTest, TheFirstChangeMovesGetUidToTheServerBeforeItIsAnswered) {
  NativeGuest guest;
  ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
  EXPECT_EQ(guest.Call(Nr::setuid, 5), SysResult::Ok());
  EXPECT_TRUE(guest.store().past().diverged);
  EXPECT_EQ(guest.republished(), 1u);
  EXPECT_EQ(guest.epoch().tables({.diverged = true}).placement[102], wire::Placement::kServer);
  EXPECT_EQ(guest.Call(Nr::setuid, 6), SysResult::Error(EPERM));
  EXPECT_EQ(guest.Call(Nr::getuid), SysResult::Ok(5));
  EXPECT_EQ(guest.republished(), 1u);
}

TEST_F(CredentialsTest, AForkInheritsAndThenGoesItsOwnWay) {
  NativeGuest guest;
  ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
  // 1 is forked while 0 is root, 2 after 0 has changed, 3 by 2 before anybody asked 2 anything.
  guest.processes().records[1] = {.generation = 7, .parent = 1, .parent_generation = 1};
  EXPECT_EQ(guest.Call(Nr::setuid, 5), SysResult::Ok());
  guest.processes().records[2] = {.generation = 3, .parent = 1, .parent_generation = 1};
  guest.processes().records[3] = {.generation = 4, .parent = 3, .parent_generation = 3};
  guest.Become(3);
  EXPECT_EQ(guest.Call(Nr::getuid), SysResult::Ok(5));
  guest.Become(1);
  EXPECT_EQ(guest.Call(Nr::getuid), SysResult::Ok(0));
  EXPECT_EQ(guest.Call(Nr::setuid, 9), SysResult::Ok());
  guest.Become(2);
  EXPECT_EQ(guest.Call(Nr::geteuid), SysResult::Ok(5));
  guest.Become(0);
  EXPECT_EQ(guest.Call(Nr::getuid), SysResult::Ok(5));
}

TEST_F(CredentialsTest, TheNextHolderOfARecordIsNotTakenForTheLast) {
  NativeGuest guest;
  ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
  EXPECT_EQ(guest.Call(Nr::setuid, 5), SysResult::Ok());
  guest.processes().records[1] = {.generation = 1, .parent = 1, .parent_generation = 1};
  server::EndProcess(guest.parts(), 0, 1);
  guest.processes().records[0] = {.generation = 2};
  EXPECT_EQ(guest.Call(Nr::getuid), SysResult::Ok(0));
  EXPECT_EQ(guest.Call(Nr::setuid, 8), SysResult::Ok());
  guest.Become(1);
  EXPECT_EQ(guest.Call(Nr::getuid), SysResult::Ok(5)) << "an orphan keeps what it inherited";
}

TEST_F(CredentialsTest, AnExecMakesTheSavedIdTheEffectiveOne) {
  NativeGuest guest;
  ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
  EXPECT_EQ(guest.Call(Nr::setresuid, 5, 6, 0), SysResult::Ok());
  guest.processes().records[0].execs = 1;
  std::array<uint32_t, 3> ids = {};
  EXPECT_EQ(guest.Call(Nr::getresuid, &ids[0], &ids[1], &ids[2]), SysResult::Ok());
  EXPECT_EQ(ids, (std::array<uint32_t, 3>{5, 6, 6}));
  EXPECT_EQ(guest.Call(Nr::setuid, 0), SysResult::Error(EPERM));
}

TEST_F(CredentialsTest, ARingOfParentsEnds) {
  NativeGuest guest;
  ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
  EXPECT_EQ(guest.Call(Nr::setuid, 5), SysResult::Ok());
  guest.processes().records[1] = {.generation = 1, .parent = 3, .parent_generation = 1};
  guest.processes().records[2] = {.generation = 1, .parent = 2, .parent_generation = 1};
  guest.Become(1);
  EXPECT_EQ(guest.Call(Nr::getuid), SysResult::Ok(0));
}

TEST_F(CredentialsTest, LongGroupListsAreKeptAndTooLongOnesRefused) {
  NativeGuest guest;
  ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
  std::vector<uint32_t> groups(2000);
  for (size_t i = 0; i < groups.size(); ++i) groups[i] = static_cast<uint32_t>(groups.size() - i);
  EXPECT_EQ(guest.Call(Nr::setgroups, groups.size(), groups.data()), SysResult::Ok());
  std::vector<uint32_t> back(2000);
  EXPECT_EQ(guest.Call(Nr::getgroups, back.size(), back.data()), SysResult::Ok(2000));
  std::sort(groups.begin(), groups.end());
  EXPECT_EQ(back, groups);
  groups.resize(3000);
  EXPECT_EQ(guest.Call(Nr::setgroups, groups.size(), groups.data()), SysResult::Error(ENOMEM));
}

}  // namespace
}  // namespace guise::personalities
