#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kinds/recipe.h"

namespace guise::kinds {
namespace {

template <size_t n>
struct Words {
  uint64_t word[n];
};

constexpr uint64_t kZero = 0;
constexpr uint64_t kAllBits = ~uint64_t{0};
constexpr uint64_t kFarOffset = 32;
constexpr uint64_t kInnerPage = kInner;
constexpr uint64_t kPending = uint64_t{1} << (SIGUSR1 - 1);
constexpr uint64_t kAccess = 1;
constexpr uint32_t kOne = 1, kFour = 4, kFamilyLength = 2, kLength = 64, kKillAction = 0;
constexpr char kSize[] = "4096";
constexpr Words<2> kSixteen{};
constexpr Words<512> kPage{};
constexpr timespec kSoon{0, 1};
constexpr timespec kNoTime{0, 0};
struct TwoTimes {
  timespec first, second;
};
constexpr TwoTimes kTimes{{1, 1}, {2, 2}};
constexpr TwoTimes kFar{{0, 0}, {1000, 0}};
// struct sigaction as the kernel has it: SIG_IGN, no flags.
constexpr Words<4> kIgnore{{1, 0, 0, 0}};
constexpr Words<3> kNoStack{{0, 2, 0}};  // SS_DISABLE
struct Message8 {
  int64_t type;
  char text[8];
};
constexpr Message8 kMessage{1, {'m', 'e', 's', 's', 'a', 'g', 'e', '.'}};
constexpr sembuf kRaise{0, 1, 0};
constexpr uint32_t kCaps[2] = {_LINUX_CAPABILITY_VERSION_3, 0};
constexpr uint32_t kBadCaps[2] = {1, 0};
constexpr Words<3> kThreeWords{};
constexpr Words<15> kRingShape{};
// siginfo_t. The kernel reads all of it only where it does not know the code.
constexpr int32_t kUnknownCode = -100;
struct QueuedSignal {
  int32_t signal, error, code, padding[29];
};
constexpr QueuedSignal kQueued{SIGUSR1, 0, kUnknownCode, {}};
constexpr Words<8> kNoNotice{{0, uint64_t{SIGEV_NONE} << 32}};
constexpr Words<8> kQueueShape{{0, 4, 64, 0}};
constexpr Words<2> kNoMask{{0, 8}};
constexpr Words<2> kRemote{{kInner + 4096, 16}};
constexpr Words<4> kRemotes{{kInner + 4096, 8, kInner + 4104, 8}};
constexpr uint32_t kNode = 0;
constexpr Words<4> kFourWords{};
constexpr Words<6> kSchedule{{48, 0, 0, 0, 0, 0}};
constexpr Words<2> kXattr{{kInner, 16}};
struct Handle {
  uint32_t bytes, type;
  char handle[128];
};
constexpr Handle kHandle{128, 0, {}};
struct PathRule {
  uint64_t access;
  int32_t parent;
} __attribute__((packed));
constexpr PathRule kRule{1, NumberOf(Fds::Path)};
// struct futex_waitv: the inner buffer does not hold 1.
constexpr Words<3> kWaiter{{1, kInner, 2}};
constexpr Words<6> kWaiters{{0, kInner + 8192, 2, 0, kInner + 8196, 2}};
constexpr Words<3> kAllMounts{{24, ~uint64_t{0}, 0}};
constexpr Words<3> kMountId{{24, ~uint64_t{0}, 1}};
constexpr Words<5> kNamespaces{{40, 0, 0, 0, 0}};
struct Watched {
  uint32_t events;
  uint64_t data;
} __attribute__((packed));
constexpr Watched kWatched{EPOLLIN, 7};
struct Name {
  uint16_t family = AF_UNIX;
  char path[14] = {};
};
constexpr Name kListener{AF_UNIX, "listener"};
constexpr Name kNewName{AF_UNIX, "new"};
constexpr Name kSender{AF_UNIX, "sender"};
constexpr uint32_t kSenderLength = 9;
constexpr uint32_t kListenerLength = 11;  // the family and the path with its NUL

flock WholeFile() {
  flock lock{};
  lock.l_type = F_WRLCK;
  return lock;
}
const flock kLock = WholeFile();

pollfd PollOf(Fds fd) { return {NumberOf(fd), POLLIN, 0}; }
uint64_t BitOf(Fds fd) { return uint64_t{1} << NumberOf(fd); }

uint32_t Loose(std::initializer_list<int> positions) {
  uint32_t bits = 0;
  for (const int position : positions) bits |= uint32_t{1} << position;
  return bits;
}

}  // namespace

const std::vector<Recipe>& Recipes() {
  using syscall::Nr;
#define POSITIONS(...) \
  { __VA_ARGS__ }
#define COVERED(name, must, varies, ...) {Nr::name, must, Varies::varies, {__VA_ARGS__}, 0},
#define COVERED_LOOSELY(name, positions, must, varies, ...) \
  {Nr::name, must, Varies::varies, {__VA_ARGS__}, Loose(POSITIONS positions)},
#define ALSO COVERED_LOOSELY
#define EXCUSED(name, reason)
  static const std::vector<Recipe> recipes = {
#include "tests/kinds/recipes.def"
  };
#undef POSITIONS
  return recipes;
}

}  // namespace guise::kinds
