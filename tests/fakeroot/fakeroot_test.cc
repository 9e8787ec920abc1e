// fakeroot as an ordinary user meets it: root to look at, and nothing of the host has changed.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

constexpr char kOwnerScript[] = "id -u; touch f; chown 1:2 f; stat -c %u:%g f";

class FakerootTest : public testing::TestWithParam<Account> {
 protected:
  void SetUp() override {
    GUISE_NEEDS_TREE();
    guise_ = &Guise::Shared(GetParam());
    directory_ = Stage::Get().MakeDirectory(GetParam(), "fakeroot");
  }

  Command Fake(const std::vector<std::string>& argv) const {
    Command command = guise_->In(FakerootWay(), argv);
    command.cwd = directory_;
    return command;
  }

  // The host's view of the file belongs to the account still.
  void ExpectUnchangedOnTheHost(const std::string& name) const {
    struct stat status {};
    ASSERT_EQ(lstat((directory_ + "/" + name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_uid, GetParam().uid);
    EXPECT_EQ(status.st_gid, GetParam().gid);
  }

  void ExpectOwnersShown(const Command& command) const {
    const RunResult result = RunToEnd(command);
    EXPECT_EQ(result.out, "0\n1:2\n") << result;
    EXPECT_EQ(result.exit_code, 0) << result;
    ExpectUnchangedOnTheHost("f");
  }

  Guise* guise_ = nullptr;
  std::string directory_;
};

TEST_P(FakerootTest, ShowsRootAndGivenOwnersToAShellAndCoreutils) {
  ExpectOwnersShown(Fake({"sh", "-c", kOwnerScript}));
}

TEST_P(FakerootTest, ShowsRootAndGivenOwnersToAStaticBusybox) {
  ExpectOwnersShown(
      Fake({"busybox", "sh", "-c", "busybox id -u; busybox touch f; busybox chown 1:2 f; busybox stat -c %u:%g f"}));
}

TEST_P(FakerootTest, ShowsRootAndGivenOwnersToAStaticProgramOfRawSyscalls) {
  ExpectOwnersShown(Fake({Stage::Get().Guest("tests/guests/raw_owner_static.elf")}));
}

TEST_P(FakerootTest, KeepsOwnersWithinASessionAndNoLonger) {
  EXPECT_EQ(RunToEnd(Fake({"sh", "-c", "touch g; chown 5:6 g; sh -c 'stat -c %u:%g g'; stat -c '%u %g' ./g"})).out,
            "5:6\n5 6\n");
  EXPECT_EQ(RunToEnd(Fake({"stat", "-c", "%u:%g", "g"})).out, "0:0\n") << "another session knows nothing of it";
}

TEST_P(FakerootTest, TarArchivesTheOwnersThatChownGave) {
  const RunResult result =
      RunToEnd(Fake({"sh", "-c",
                     "mkdir d; touch d/a d/b; chown -R 3:4 d; chown 7:8 d/b; tar --numeric-owner --sort=name -cf t d;"
                     "tar --numeric-owner -tvf t | awk '{ print $2 }'; rm -r d; tar -xf t; stat -c %u:%g d d/a d/b"}));
  EXPECT_EQ(result.out, "3/4\n3/4\n7/8\n3:4\n3:4\n7:8\n") << result;
  ExpectUnchangedOnTheHost("d/b");
}

TEST_P(FakerootTest, TenThousandFilesGetAndKeepOwnersOfTheirOwn) {
  const RunResult result = RunToEnd(Fake({"/usr/bin/python3", "-c",
                                          "import os\n"
                                          "for i in range(10000): open('f%d' % i, 'w').close()\n"
                                          "for i in range(10000): os.chown('f%d' % i, i + 1, 20000 - i)\n"
                                          "print(all((lambda s: (s.st_uid, s.st_gid))(os.stat('f%d' % i)) == (i + 1, "
                                          "20000 - i) for i in range(10000)))\n"}));
  EXPECT_EQ(result.out, "True\n") << result;
  ExpectUnchangedOnTheHost("f9999");
}

// A change copies a file up to the upper layer, and with that it may be another by number and birth time.
TEST_P(FakerootTest, FilesOfALowerLayerGetAndKeepOwners) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  const auto at = [&](const char* name) { return directory_ + "/" + name; };
  for (const char* name : {"lower", "upper", "work", "merged", "lower/d"}) {
    ASSERT_EQ(mkdir(at(name).c_str(), 0755), 0) << name;
    ASSERT_EQ(chown(at(name).c_str(), GetParam().uid, GetParam().gid), 0) << name;
  }
  const Command make = Fake({"sh", "-c", "touch lower/f lower/d/g; ln lower/f lower/hard"});
  ASSERT_TRUE(RunToEnd(make).ok());
  const std::string layers = "lowerdir=" + at("lower") + ",upperdir=" + at("upper") + ",workdir=" + at("work");
  if (mount("overlay", at("merged").c_str(), "overlay", 0, layers.c_str()) != 0) {
    GTEST_SKIP() << "overlayfs cannot be mounted: " << strerror(errno);
  }
  Command command = Fake({"sh", "-c",
                          "chown 5:6 f d d/g; stat -c %u:%g f d d/g; chown -h 7:8 hard; stat -c %u:%g hard f; "
                          "python3 -c 'import os; f = os.open(\"f\", os.O_RDONLY); os.fchown(f, 9, 10); "
                          "print(os.fstat(f).st_uid)'"});
  command.cwd = at("merged");
  const RunResult result = RunToEnd(command);
  EXPECT_EQ(umount2(at("merged").c_str(), MNT_DETACH), 0);
  EXPECT_EQ(result.out, "5:6\n5:6\n5:6\n7:8\n5:6\n9\n") << result;
}

TEST_P(FakerootTest, AHundredProcessesChownAtOnce) {
  const RunResult result = RunToEnd(
      Fake({"sh", "-c",
            "for i in $(seq 100); do (touch p$i; chown $i:$((i + 1)) p$i; stat -c %u:%g p$i > out$i) & done; wait;"
            "for i in $(seq 100); do echo $i:$((i + 1)) | cmp - out$i || exit 1; stat -c %u:%g p$i | cmp - out$i || "
            "exit 1; done"}));
  EXPECT_TRUE(result.ok()) << result;
}

TEST_P(FakerootTest, WhoHasGivenRootUpHasNoneOfItsAttributes) {
  if (GetParam().uid == 0) GTEST_SKIP() << "real root keeps its power";
  const std::vector<std::string> argv = {Stage::Get().Guest("tests/fakeroot/attributes_dynamic.elf"), "given up"};
  const RunResult result = RunToEnd(Fake(argv));
  EXPECT_EQ(result.out, "pass\n") << result;
}

TEST_P(FakerootTest, StatusIsToldAsFarAsNatively) {
  const std::string guest = Stage::Get().Guest("tests/fakeroot/status_mask_dynamic.elf");
  Command native = Guise::Native(GetParam()).In(NativeWay(), {guest});
  native.cwd = directory_;
  const RunResult expected = RunToEnd(native);
  ASSERT_TRUE(expected.ok()) << expected;
  EXPECT_EQ(RunToEnd(Fake({guest})).out, expected.out);
}

TEST_P(FakerootTest, ProgramsThatRunOthersAsSomebodyElseDoSo) {
  const RunResult result = RunToEnd(Fake({"sh", "-c",
                                          "setpriv --reuid 5 --regid 6 --clear-groups sh -c 'id -u; id -g; id -G';"
                                          "chroot --userspec=7:8 / sh -c 'id -u; id -g'"}));
  EXPECT_EQ(result.out, "5\n6\n6\n7\n8\n") << result;
}

// Linux is the oracle: what passes natively as root must pass as anybody under fakeroot.
class RootOrFakerootTest : public FakerootTest {
 protected:
  void ExpectPasses(const std::string& runfile) {
    const std::string guest = Stage::Get().Guest(runfile);
    if (geteuid() == 0) {
      Command native = Guise::Native(Self()).In(NativeWay(), {guest});
      native.cwd = Stage::Get().MakeDirectory(Self(), "as root");
      const RunResult result = RunToEnd(native);
      ASSERT_EQ(result.out, "pass\n") << "natively: " << result;
    }
    const RunResult result = RunToEnd(Fake({guest}));
    EXPECT_EQ(result.out, "pass\n") << result;
  }
};

TEST_P(RootOrFakerootTest, OwnersBehaveAsForRealRoot) { ExpectPasses("tests/fakeroot/owners_dynamic.elf"); }
TEST_P(RootOrFakerootTest, OwnersBehaveAsForRealRootInAStaticProgram) {
  ExpectPasses("tests/fakeroot/owners_static.elf");
}
TEST_P(RootOrFakerootTest, IdentitiesBehaveAsForRealRoot) { ExpectPasses("tests/fakeroot/identity_dynamic.elf"); }
TEST_P(RootOrFakerootTest, ChildrenHaveTheIdentityOfTheirFork) { ExpectPasses("tests/fakeroot/children_dynamic.elf"); }
TEST_P(RootOrFakerootTest, ChildrenHaveTheIdentityOfTheirForkInAStaticProgram) {
  ExpectPasses("tests/fakeroot/children_static.elf");
}
TEST_P(RootOrFakerootTest, OrphansKeepTheIdentityThatTheyInherited) {
  ExpectPasses("tests/fakeroot/orphans_dynamic.elf");
}
TEST_P(RootOrFakerootTest, RootHasPowerOverModesAndMakesDevices) { ExpectPasses("tests/fakeroot/power_dynamic.elf"); }
TEST_P(RootOrFakerootTest, RootHasPowerOverModesAndMakesDevicesInAStaticProgram) {
  ExpectPasses("tests/fakeroot/power_static.elf");
}
TEST_P(RootOrFakerootTest, RootSetsAttributesThatOthersMayNot) {
  ExpectPasses("tests/fakeroot/attributes_dynamic.elf");
}
TEST_P(RootOrFakerootTest, RootSetsAttributesThatOthersMayNotInAStaticProgram) {
  ExpectPasses("tests/fakeroot/attributes_static.elf");
}
TEST_P(RootOrFakerootTest, CapabilitiesAreKeptAndGivenUpAsByRealRoot) {
  ExpectPasses("tests/fakeroot/capabilities_dynamic.elf");
}
TEST_P(RootOrFakerootTest, ProcessesUsePowerOverTheSameDirectories) {
  ExpectPasses("tests/fakeroot/borrowers_dynamic.elf");
}
TEST_P(RootOrFakerootTest, IdentitiesBehaveAsForRealRootWithMusl) { ExpectPasses("tests/fakeroot/identity_musl.elf"); }

std::string NameOf(const testing::TestParamInfo<Account>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Accounts, FakerootTest, testing::ValuesIn(Accounts()), NameOf);
INSTANTIATE_TEST_SUITE_P(Accounts, RootOrFakerootTest, testing::ValuesIn(Accounts()), NameOf);

}  // namespace
}  // namespace guise::tests
