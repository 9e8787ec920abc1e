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
  static RunResult RunAsRoot(const std::vector<std::string>& argv) {
    Command native = Guise::Native(Self()).In(NativeWay(), argv);
    native.cwd = Stage::Get().MakeDirectory(Self(), "as root");
    return RunToEnd(native);
  }

  void ExpectPasses(const std::string& runfile, const std::vector<std::string>& arguments = {}) {
    std::vector<std::string> argv = {Stage::Get().Guest(runfile)};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    if (geteuid() == 0) {
      const RunResult result = RunAsRoot(argv);
      ASSERT_EQ(result.out, "pass\n") << "natively: " << result;
    }
    const RunResult result = RunToEnd(Fake(argv));
    EXPECT_EQ(result.out, "pass\n") << result;
  }

  // Of a shell script.
  void ExpectSaysTheSame(const std::string& script) {
    if (geteuid() != 0) GTEST_SKIP() << "real root is the oracle";
    const std::vector<std::string> argv = {"sh", "-c", "umask 022; exec 2>&1; " + script};
    const RunResult expected = RunAsRoot(argv);
    ASSERT_TRUE(expected.ok()) << "natively: " << expected;
    const RunResult result = RunToEnd(Fake(argv));
    EXPECT_EQ(result.out, expected.out) << result;
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
TEST_P(RootOrFakerootTest, WhoHasGivenRootUpChangesTheDirectoriesThatItMay) {
  ExpectPasses("tests/fakeroot/directories_dynamic.elf");
}
TEST_P(RootOrFakerootTest, WhoHasGivenRootUpChangesTheDirectoriesThatItMayInAStaticProgram) {
  ExpectPasses("tests/fakeroot/directories_static.elf");
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
TEST_P(RootOrFakerootTest, WhatIsMadeIsItsMakersOrOfTheDirectorysGroup) {
  ExpectPasses("tests/fakeroot/creation_dynamic.elf");
}
TEST_P(RootOrFakerootTest, WhatIsMadeIsItsMakersOrOfTheDirectorysGroupAlsoWhereIdsAreGivenUpFirst) {
  ExpectPasses("tests/fakeroot/creation_static.elf", {"ids first"});
}

TEST_P(RootOrFakerootTest, ModesAreTheirOwnersToChange) { ExpectPasses("tests/fakeroot/modes_dynamic.elf"); }

TEST_P(RootOrFakerootTest, ProgramsThatGiveUpIdsOwnWhatTheyMake) {
  ExpectSaysTheSame(
      "mkdir -m 777 w; setpriv --reuid=1000 --regid=1001 --clear-groups sh -c 'cd w; mkdir d; touch f; ln -s x l; "
      "mkfifo p; echo a > r; sed -i s/a/b/ r; echo c >> r; mkdir u; tar -cf t d f l; tar -C u -xf t; cp -a d e'; "
      "touch w/root; stat -c '%n %u:%g %a %F' w/* w/u/*; cat w/r");
}

TEST_P(RootOrFakerootTest, ArchiversAndInstallersMakeSetGroupDirectories) {
  ExpectSaysTheSame(
      "mkdir d; chgrp 50 d; chmod g+s d; mkdir d/e; echo x > d/f; ln -s f d/l; mkfifo d/e/p; tar -cf t d; rm -r d; "
      "tar -xpf t; tar --numeric-owner --sort=name -tvf t | awk '{ print $1, $2, $NF }'; cp -a d c; cp -r d r; "
      "mkdir s; chgrp 51 s; chmod 2775 s; cp d/f s; mv d/f s/moved; cp -r r s; tar -C s --no-same-owner -xf t; "
      "install -d -g 52 -m 2775 i; install -m 644 t i/t; install -D t i/x/y/t; busybox mkdir i/busybox; "
      "stat -c '%n %u:%g %a %F' d d/* c c/* r/* s s/* s/*/* i/* i/*/* i/*/*/*");
}

TEST_P(RootOrFakerootTest, PackagesHaveTheirSetGroupDirectories) {
  ExpectSaysTheSame(
      "mkdir -p p/DEBIAN p/var/games; printf 'Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: m <m@m>\\n"
      "Description: d\\n' > p/DEBIAN/control; chgrp 60 p/var/games; chmod 2775 p/var/games; touch p/var/games/s; "
      "dpkg-deb --build p p.deb > out; dpkg-deb -c p.deb | awk '{ print $1, $2, $NF }'; dpkg-deb -x p.deb x; "
      "touch x/var/games/n; mkdir x/var/games/m; stat -c '%n %u:%g %a' x/var/games x/var/games/*");
}

// The way there is lent, and then what is made is looked at.
TEST_P(RootOrFakerootTest, SetGroupDirectoriesBehindClosedOnesHandTheirGroupDown) {
  ExpectSaysTheSame(
      "mkdir -p p/q/g; chgrp 60 p/q/g; chmod 2777 p/q/g; chmod 0 p/q p; touch p/q/g/f; mkdir p/q/g/d; ln -s x p/q/g/l;"
      "mknod p/q/g/n c 1 3; mknod p/q/g/b b 7 1; echo >> p/q/g/f; echo > p/q/f; ln -s g/t p/q/l; echo > p/q/l; "
      "mkdir p/q/z; chmod 0 p/q/z; mknod p/q/z/n c 1 3; touch p/q/z/f; "
      "stat -c '%n %u:%g %a %F' p/q/g/* p/q/* p/q/z/*");
}

TEST_P(RootOrFakerootTest, IdentitiesBehaveAsForRealRootWithMusl) { ExpectPasses("tests/fakeroot/identity_musl.elf"); }

std::string NameOf(const testing::TestParamInfo<Account>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Accounts, FakerootTest, testing::ValuesIn(Accounts()), NameOf);
INSTANTIATE_TEST_SUITE_P(Accounts, RootOrFakerootTest, testing::ValuesIn(Accounts()), NameOf);

}  // namespace
}  // namespace guise::tests
