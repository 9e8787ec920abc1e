// Debian 12's own kernel, 6.1, on a CPU without xsave, rdpid and FSGSBASE, and on one with everything: the tests of
// fakeroot and of switching, and a few guests, run inside a virtual machine.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/kernel/machine.h"
#include "tests/support/differential.h"
#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

constexpr int kPatienceSecondsForAll = 3000;

// Each line of it that begins with "TEST" is one program run inside; its exit code is told behind it.
constexpr char kInit[] = R"sh(#!/bin/busybox sh
export PATH=/usr/bin:/bin HOME=/root LC_ALL=C
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs -o mode=1777 tmp /tmp
mkdir -p /dev/shm && /bin/busybox mount -t tmpfs -o mode=1777 shm /dev/shm
ln -s /proc/self/fd /dev/fd
# Root of an initramfs cannot be left or stacked on; programs must not care.
echo "KERNEL $(uname -r)"
run() { name=$1; shift; "$@"; echo "RESULT $name $?"; }
export TEST_SRCDIR=/runfiles TEST_WORKSPACE=guise GUISE_TEST_PATIENCE_FACTOR=10 GUISE_TEST_ROUND_TRIPS=20
cd /tmp
)sh";

class KernelTest : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    std::string why;
    kernel_ = new std::string(FindKernel(&why));
    why_ = new std::string(why);
    if (!Missing({"qemu-system-x86_64", "busybox"}).empty()) *why_ = "qemu-system-x86_64 or busybox is not installed";
    if (!why_->empty()) return;
    RootFileSystem files(Stage::Get().root() + "/machine");
    files.AddTree(Runfile(""), "/runfiles/guise/");
    files.AddText("/init", Init(), true);
    initramfs_ = new std::string(files.Pack());
  }

  static std::string Init() {
    std::string text = kInit;
    const auto run = [&](const std::string& name, const std::string& command) {
      text += "run " + name + " " + command + "\n";
    };
    run("natively", "/runfiles/guise/tests/guests/guests_test '--gtest_filter=*_dynamic_native_user'");
    if (Guise::Available()) {
      run("doctor", "/runfiles/guise/server/cli/guise version");
      run("fakeroot", "/runfiles/guise/tests/fakeroot/fakeroot_test '--gtest_filter=*Shows*:*OrFakeroot*:*Keeps*'");
      run("guests",
          "/runfiles/guise/tests/guests/guests_test "
          "'--gtest_filter=*_dynamic_fakeroot_user:*_static_linux_at_server_user'");
      run("switching", "/runfiles/guise/tests/switching/switching_test");
    }
    return text + "echo DONE\npoweroff -f\n";
  }

  static std::string* kernel_;
  static std::string* why_;
  static std::string* initramfs_;
};

std::string* KernelTest::kernel_ = nullptr;
std::string* KernelTest::why_ = nullptr;
std::string* KernelTest::initramfs_ = nullptr;

TEST_P(KernelTest, RunsFakerootGuestsAndSwitchingOnDebiansOwnKernel) {
  if (!why_->empty()) GTEST_SKIP() << *why_;
  ASSERT_NE(*initramfs_, "");
  const Boot boot = RunMachine(*kernel_, *initramfs_, GetParam(), kPatienceSecondsForAll);
  EXPECT_TRUE(boot.ended);
  EXPECT_NE(boot.serial.find("KERNEL 6.1."), std::string::npos);
  EXPECT_NE(boot.serial.find("DONE"), std::string::npos);
  std::vector<std::string> names = {"natively"};
  if (Guise::Available()) names = {"natively", "doctor", "fakeroot", "guests", "switching"};
  for (const std::string& name : names) {
    EXPECT_NE(boot.serial.find("RESULT " + name + " 0"), std::string::npos) << name << " failed";
  }
  if (HasFailure()) std::cerr << "what the machine said:\n" << boot.serial << "\n";
}

INSTANTIATE_TEST_SUITE_P(Cpus, KernelTest, testing::Values("qemu64", "max"),
                         [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

}  // namespace
}  // namespace guise::tests
