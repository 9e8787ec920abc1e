// The chown and stat families against the oracle: real root. Two children do the same random calls on files of the same
// kinds, one natively as root, one through the personality as an ordinary user; after each call result, owners and
// modes of all files must be equal.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
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

constexpr uid_t kUser = 1000;

using Caller = std::function<SysResult(Nr nr, std::array<uint64_t, 6> args)>;

template <typename T>
uint64_t Word(T* pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

SysResult Native(Nr nr, std::array<uint64_t, 6> args) {
  return NativeGuest::DoNatively(static_cast<uint32_t>(nr), args);
}

Caller Through(NativeGuest& guest) {
  return [&guest](Nr nr, std::array<uint64_t, 6> a) { return guest.Call(nr, a[0], a[1], a[2], a[3], a[4], a[5]); };
}

// Files of every kind that matters; the caller owns them. Names are relative to the directory.
struct Kind {
  const char* name;
  mode_t mode;
};
constexpr std::array<Kind, 7> kFiles = {{{"plain", 0644},
                                         {"suid", 04755},
                                         {"sgid", 02755},
                                         {"both", 06711},
                                         {"unreadable", 0000},
                                         {"directory", 06755},
                                         {"fifo", 06755}}};
constexpr std::array<const char*, 5> kOtherPaths = {"link", "dangling", "loop", "missing", "plain/below"};

// Descriptors of them, opened before anything is forbidden: what may be opened is the host's business still.
struct Descriptors {
  int readable[kFiles.size()];
  int path[kFiles.size()];
};
Descriptors descriptors;

bool MakeFiles() {
  umask(0);
  for (const Kind& kind : kFiles) {
    const std::string name = kind.name;
    if (name == "directory") {
      if (mkdir(kind.name, 0755) != 0) return false;
    } else if (name == "fifo") {
      if (mkfifo(kind.name, 0755) != 0) return false;
    } else {
      close(open(kind.name, O_CREAT | O_WRONLY, 0600));
    }
    const size_t i = static_cast<size_t>(&kind - kFiles.data());
    descriptors.readable[i] = open(kind.name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    descriptors.path[i] = open(kind.name, O_PATH | O_CLOEXEC);
    if (chmod(kind.name, kind.mode) != 0) return false;
  }
  return symlink("plain", "link") == 0 && symlink("nowhere", "dangling") == 0 && symlink("loop", "loop") == 0;
}

std::vector<uint64_t> Observe(const Caller& call) {
  std::vector<uint64_t> seen;
  const auto look = [&](const char* path) {
    struct stat status = {};
    seen.push_back(
        call(Nr::newfstatat, {uint64_t(AT_FDCWD), Word(path), Word(&status), AT_SYMLINK_NOFOLLOW, 0, 0}).raw());
    seen.insert(seen.end(), {status.st_uid, status.st_gid, status.st_mode});
  };
  for (const Kind& kind : kFiles) look(kind.name);
  for (const char* path : kOtherPaths) look(path);
  return seen;
}

SysResult MakeOne(std::mt19937& random, const Caller& call) {
  static constexpr std::array<uint32_t, 6> kIds = {0, 1, 2, 3, 0xffffffff, 0xffffffff};
  const auto id = [&] { return uint64_t{kIds[random() % kIds.size()]}; };
  const size_t choice = random() % (kFiles.size() + kOtherPaths.size());
  const char* path = choice < kFiles.size() ? kFiles[choice].name : kOtherPaths[choice - kFiles.size()];
  const uint64_t uid = id();
  const uint64_t gid = id();
  switch (random() % 10) {
    case 0:
      return call(Nr::lchown, {Word(path), uid, gid, 0, 0, 0});
    case 1:
    case 2: {
      const Descriptors& fds = descriptors;
      const size_t file = choice % kFiles.size();
      const int fd = random() % 4 == 0 ? fds.path[file] : fds.readable[file];
      return call(Nr::fchown, {static_cast<uint64_t>(fd), uid, gid, 0, 0, 0});
    }
    case 3:
      return call(Nr::fchownat, {uint64_t(AT_FDCWD), Word(path), uid, gid, AT_SYMLINK_NOFOLLOW, 0});
    case 4: {
      static constexpr std::array<uint64_t, 4> kFlags = {0, AT_EMPTY_PATH, 1, AT_NO_AUTOMOUNT};
      return call(Nr::fchownat, {uint64_t(AT_FDCWD), Word(path), uid, gid, kFlags[random() % kFlags.size()], 0});
    }
    case 5: {
      const int fd = descriptors.path[choice % kFiles.size()];
      return call(Nr::fchownat, {static_cast<uint64_t>(fd), Word(""), uid, gid, AT_EMPTY_PATH, 0});
    }
    default:
      return call(Nr::chown, {Word(path), uid, gid, 0, 0, 0});
  }
}

// Lines of words through a pipe from a child; empty when it failed.
using Lines = std::vector<std::vector<uint64_t>>;
Lines InChild(const std::function<Lines()>& play) {
  char path[] = "/tmp/ownership_test_XXXXXX";
  const int fd = mkstemp(path);
  unlink(path);
  const pid_t child = fork();
  if (child == 0) {
    for (const std::vector<uint64_t>& line : play()) {
      const uint64_t count = line.size();
      const auto size = static_cast<ssize_t>(count * sizeof(uint64_t));
      if (write(fd, &count, sizeof(count)) != sizeof(count) || write(fd, line.data(), size) != size) _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  lseek(fd, 0, SEEK_SET);
  Lines lines;
  uint64_t count = 0;
  while (status == 0 && read(fd, &count, sizeof(count)) == sizeof(count)) {
    std::vector<uint64_t>& line = lines.emplace_back(count);
    const auto size = static_cast<ssize_t>(count * sizeof(uint64_t));
    if (read(fd, line.data(), size) != size) break;
  }
  close(fd);
  return lines;
}

class Directory {
 public:
  explicit Directory(uid_t owner) {
    strcpy(path_, "/tmp/ownership_test_XXXXXX");
    if (mkdtemp(path_) == nullptr || chmod(path_, 0755) != 0 || chown(path_, owner, owner) != 0) abort();
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  const char* path() const { return path_; }

 private:
  char path_[32];
};

class OwnershipTest : public testing::Test {
 protected:
  OwnershipTest() { (void)registry_.Add(Fakeroot::Register()); }
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root: real root is the oracle";
  }

  // Plays in `directory` with files of its own. `identity`: set-ids that are made first.
  static Lines Play(const char* directory, uint32_t seed, const Caller& call,
                    const std::function<void(const Caller&)>& identity) {
    if (chdir(directory) != 0 || !MakeFiles()) return {};
    std::mt19937 random(seed);
    Lines lines = {Observe(call)};
    // As root, then as somebody.
    for (int i = 0; i < 40; ++i) {
      if (i == 20) identity(call);
      const SysResult result = MakeOne(random, call);
      lines.push_back(Observe(call));
      lines.back().push_back(result.raw());
    }
    return lines;
  }

  Lines AsRoot(uint32_t seed, const std::function<void(const Caller&)>& identity) {
    const Directory directory(0);
    return InChild([&] {
      const std::array<uint32_t, 1> groups = {0};
      Native(Nr::setgroups, {1, Word(groups.data()), 0, 0, 0, 0});
      return Play(directory.path(), seed, Native, identity);
    });
  }

  Lines AsUser(uint32_t seed, const std::function<void(const Caller&)>& identity) {
    const Directory directory(kUser);
    return InChild([&]() -> Lines {
      Native(Nr::setgroups, {0, 0, 0, 0, 0, 0});
      Native(Nr::setresgid, {kUser, kUser, kUser, 0, 0, 0});
      if (!Native(Nr::setresuid, {kUser, kUser, kUser, 0, 0, 0}).ok()) return {};
      NativeGuest guest({kUser, kUser});
      if (!guest.Wear(registry_, {"fakeroot"}).ok()) return {};
      return Play(directory.path(), seed, Through(guest), identity);
    });
  }

  void ExpectTheSame(const std::function<void(const Caller&)>& identity) {
    int refused = 0;
    for (uint32_t seed = 1; seed <= 25; ++seed) {
      const Lines native = AsRoot(seed, identity);
      const Lines fake = AsUser(seed, identity);
      ASSERT_EQ(native.size(), 41u);
      ASSERT_EQ(fake.size(), 41u);
      for (size_t i = 0; i < native.size(); ++i) {
        ASSERT_EQ(fake[i], native[i]) << "seed " << seed << ", after call " << i << ", word "
                                      << std::mismatch(fake[i].begin(), fake[i].end(), native[i].begin()).first -
                                             fake[i].begin()
                                      << ", results " << static_cast<int64_t>(fake[i].back()) << " and "
                                      << static_cast<int64_t>(native[i].back());
        if (i > 0 && native[i].back() != 0) ++refused;
      }
    }
    EXPECT_GT(refused, 50);
  }

  api::Registry registry_;
};

TEST_F(OwnershipTest, RootChownsAsRealRootDoes) {
  ExpectTheSame([](const Caller&) {});
}

TEST_F(OwnershipTest, AnOwnerInGroupsChownsAsARealOneDoes) {
  ExpectTheSame([](const Caller& call) {
    const std::array<uint32_t, 2> groups = {2, 3};
    call(Nr::setgroups, {2, Word(groups.data()), 0, 0, 0, 0});
    call(Nr::setresgid, {1, 1, 1, 0, 0, 0});
    call(Nr::setresuid, {1, 1, 1, 0, 0, 0});
  });
}

TEST_F(OwnershipTest, RootThatDroppedItsFileSystemIdChownsAsARealOneDoes) {
  ExpectTheSame([](const Caller& call) { call(Nr::setfsuid, {1, 0, 0, 0, 0, 0}); });
}

TEST_F(OwnershipTest, TheHostsFileIsUnchanged) {
  const Directory directory(kUser);
  const Lines lines = InChild([&]() -> Lines {
    Native(Nr::setresgid, {kUser, kUser, kUser, 0, 0, 0});
    Native(Nr::setresuid, {kUser, kUser, kUser, 0, 0, 0});
    NativeGuest guest({kUser, kUser});
    if (chdir(directory.path()) != 0 || !MakeFiles() || !guest.Wear(registry_, {"fakeroot"}).ok()) return {};
    const SysResult result = guest.Call(Nr::chown, "plain", 1, 2);
    struct stat native = {};
    struct stat shown = {};
    stat("plain", &native);
    guest.Call(Nr::stat, "plain", &shown);
    return {{result.raw(), native.st_uid, native.st_gid, shown.st_uid, shown.st_gid}};
  });
  EXPECT_EQ(lines, (Lines{{0, kUser, kUser, 1, 2}}));
}

TEST_F(OwnershipTest, AFileThatReusesAnInodeNumberIsAStranger) {
  NativeGuest guest({0, 0});
  ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
  const Directory directory(0);
  const std::string path = std::string(directory.path()) + "/f";
  close(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  ASSERT_EQ(guest.Call(Nr::chown, path.c_str(), 5, 6), SysResult::Ok());
  struct statx status = {};
  ASSERT_EQ(guest.Call(Nr::statx, AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &status),
            SysResult::Ok());
  EXPECT_EQ(status.stx_uid, 5u);
  if ((status.stx_mask & STATX_BTIME) == 0) GTEST_SKIP() << "/tmp tells no birth time";
  // The same number with another birth, which most file systems give only by chance.
  guest.set_host([&](uint32_t nr, const std::array<uint64_t, 6>& args) {
    const SysResult result = NativeGuest::DoNatively(nr, args);
    if (nr == static_cast<uint32_t>(Nr::statx)) ++reinterpret_cast<struct statx*>(args[4])->stx_btime.tv_sec;
    return result;
  });
  ASSERT_EQ(guest.Call(Nr::statx, AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &status),
            SysResult::Ok());
  EXPECT_EQ(status.stx_uid, 0u);
}

TEST_F(OwnershipTest, ServedStatsEqualNativeOnes) {
  // Owner of nobody's files: nothing is mapped, nothing laid over.
  NativeGuest guest({4242, 4242});
  ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
  for (const char* path : {"/", "/dev/null", "/proc/self/exe", "/etc/passwd", "/nowhere"}) {
    for (const Nr nr : {Nr::stat, Nr::lstat}) {
      struct stat native = {};
      struct stat served = {};
      EXPECT_EQ(guest.Call(nr, path, &served), Native(nr, {Word(path), Word(&native), 0, 0, 0, 0}));
      EXPECT_EQ(memcmp(&served, &native, sizeof(native)), 0) << path;
    }
    for (const unsigned mask : {unsigned{STATX_BASIC_STATS}, unsigned{STATX_BASIC_STATS | STATX_BTIME}, 0u}) {
      struct statx native = {};
      struct statx served = {};
      EXPECT_EQ(guest.Call(Nr::statx, AT_FDCWD, path, 0, mask, &served),
                Native(Nr::statx, {uint64_t(AT_FDCWD), Word(path), 0, mask, Word(&native), 0}));
      EXPECT_EQ(memcmp(&served, &native, sizeof(native)), 0) << path << " mask " << mask;
    }
  }
  struct stat native = {};
  struct stat served = {};
  for (const int fd : {0, -1, AT_FDCWD, 9999}) {
    EXPECT_EQ(guest.Call(Nr::fstat, fd, &served), Native(Nr::fstat, {uint64_t(fd), Word(&native), 0, 0, 0, 0})) << fd;
  }
  EXPECT_EQ(memcmp(&served, &native, sizeof(native)), 0);
  EXPECT_EQ(guest.Call(Nr::newfstatat, AT_FDCWD, "", &served, 0), SysResult::Error(ENOENT));
  EXPECT_EQ(guest.Call(Nr::newfstatat, AT_FDCWD, "", &served, AT_EMPTY_PATH), SysResult::Ok());
  EXPECT_EQ(guest.Call(Nr::newfstatat, AT_FDCWD, "/", &served, 0x10), SysResult::Error(EINVAL));
}

TEST_F(OwnershipTest, BadPointersAreEfaultByTheKernel) {
  NativeGuest guest;
  ASSERT_TRUE(guest.Wear(registry_, {"fakeroot"}).ok());
  EXPECT_EQ(guest.Call(Nr::chown, nullptr, 1, 2), SysResult::Error(EFAULT));
  struct stat served = {};
  EXPECT_EQ(guest.Call(Nr::stat, nullptr, &served), SysResult::Error(EFAULT));
}

}  // namespace
}  // namespace guise::personalities
