// What a sandbox makes of the host's files: which rule decides, and that what is hidden is not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/sandbox/sandboxed.h"
#include "tests/support/guise.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

using testing::HasSubstr;

TEST_P(SandboxTest, TheLastRuleThatMatchesDecides) {
  ASSERT_EQ(mkdir((directory_ + "/a").c_str(), 0755), 0);
  WriteFile(directory_ + "/a/f", "told", 0644);
  const std::vector<std::string> cat = {"sh", "-c", "cat a/f 2>/dev/null || echo hidden"};
  EXPECT_EQ(Run({}, cat).out, "told");
  EXPECT_EQ(Run({"--hide", directory_ + "/a"}, cat).out, "hidden\n");
  EXPECT_EQ(Run({"--hide", directory_ + "/a", "--ro", directory_ + "/a/f"}, cat).out, "told");
  EXPECT_EQ(Run({"--ro", directory_ + "/a/f", "--hide", directory_ + "/a"}, cat).out, "hidden\n");
  EXPECT_EQ(Run({"--hide", directory_ + "/a/f"}, cat).out, "hidden\n");
  const std::vector<std::string> touch = {"sh", "-c", "touch a/new 2>/dev/null || echo read-only"};
  ASSERT_EQ(chmod((directory_ + "/a").c_str(), 0777), 0);
  EXPECT_EQ(Run({"--rw", directory_ + "/a", "--ro", "/"}, touch).out, "read-only\n");
}

TEST_P(SandboxTest, WhatIsHiddenIsNotThere) {
  ASSERT_EQ(mkdir((directory_ + "/d").c_str(), 0755), 0);
  ASSERT_EQ(mkdir((directory_ + "/way").c_str(), 0755), 0);
  ASSERT_EQ(mkdir((directory_ + "/way/shown").c_str(), 0755), 0);
  WriteFile(directory_ + "/f", "secret", 0644);
  ASSERT_EQ(symlink("f", (directory_ + "/link").c_str()), 0);
  const std::vector<std::string> options = {"--hide", directory_ + "/d",   "--hide", directory_ + "/f",
                                            "--hide", directory_ + "/way", "--ro",   directory_ + "/way/shown"};
  const std::string script =
      "ls; cat link; for p in d f d/x; do test -e $p && echo there: $p; cat $p; (cd $p); chmod 700 $p; mv $p g; ./$p;"
      " stat -L $p; done; ls -l f; readlink link; ls way; cd way/shown && pwd -P;"
      "ls /proc | grep -x kcore; cat /proc/kcore; cat /proc/uptime > /dev/null && echo quiet";
  for (const char* const stack : {"sandboxed", "fakeroot,sandboxed"}) {
    stack_ = stack;
    const RunResult result = Run(options, {"sh", "-c", script});
    EXPECT_EQ(result.out, "link\nway\nf\nshown\n" + directory_ + "/way/shown\nquiet\n") << result;
    std::istringstream lines(result.err);
    int absent = 0;
    for (std::string line; std::getline(lines, line); ++absent) {
      EXPECT_THAT(line, testing::AnyOf(HasSubstr("No such file"), HasSubstr("can't cd"), HasSubstr("not found")));
    }
    EXPECT_EQ(absent, 3 * 6 + 3);
  }
}

TEST_P(SandboxTest, ADirectoryListsNothingThatIsNotThere) {
  // Of what the floor hides of the host's kernel, file systems of their own are mounted at some.
  const RunResult result = Run({}, {"sh", "-c",
                                    "for path in /* /proc/* /proc/sys/* /sys/* /sys/fs/* /sys/kernel/*; do"
                                    " test -e \"$path\" || test -L \"$path\" || echo \"$path\"; done; echo done"});
  EXPECT_EQ(result.out, "done\n") << result;
}

TEST_P(SandboxTest, CallsTellNothingApartThatIsHiddenAndThatIsNotThere) {
  std::vector<std::string> options = {"--rw", directory_ + "/rw"};
  for (const char* const name : {"/rw", "/ro"}) {
    const std::string place = directory_ + name;
    for (const char* const made : {"", "/hd"}) ASSERT_EQ(mkdir((place + made).c_str(), 0777), 0);
    for (const char* const made : {"/hf", "/hd/x", "/vis"}) WriteFile(place + made, "", 0755);
    for (const auto& [link, text] : {std::pair{"/lhf", "hf"},
                                     {"/lhd", "hd"},
                                     {"/lhx", "hf/x"},
                                     {"/laf", "af"},
                                     {"/lad", "ad"},
                                     {"/lax", "af/x"}}) {
      ASSERT_EQ(symlink(text, (place + link).c_str()), 0);
    }
    WriteFile(place + "/sh", "#!" + place + "/hf\n", 0755);
    WriteFile(place + "/sa", "#!" + place + "/af\n", 0755);
    for (const char* const hidden : {"/hf", "/hd"}) options.insert(options.end(), {"--hide", place + hidden});
    for (const char* const owned : {"", "/vis", "/lhf", "/lhd", "/lhx", "/laf", "/lad", "/lax"}) {
      ASSERT_EQ(lchown((place + owned).c_str(), GetParam().uid, GetParam().gid), 0);
    }
  }
  for (const char* const stack : {"sandboxed", "fakeroot,sandboxed"}) {
    stack_ = stack;
    for (const std::vector<std::string>& sites :
         std::vector<std::vector<std::string>>{{}, {"--rewrite-after", "1"}, {"--mechanism", "sud"}}) {
      for (const char* const variant : {"static", "dynamic"}) {
        const std::string guest = Stage::Get().Guest(std::string("tests/sandbox/hidden_") + variant + ".elf");
        std::vector<std::string> all = options;
        all.insert(all.end(), sites.begin(), sites.end());
        all.insert(all.end(), {"--ro", DirectoryOf(guest)});
        const RunResult result = Run(all, {guest, directory_ + "/ro", directory_ + "/rw"});
        EXPECT_EQ(result.exit_code, 0) << stack << " " << variant << " " << result;
      }
    }
  }
}

// As real root sees it, who copies them into an image.
TEST_P(SandboxTest, TheHostsFilesAreRootsBeneathFakeroot) {
  stack_ = "fakeroot,sandboxed";
  const RunResult result =
      Run({"--rw", directory_}, {"sh", "-c",
                                 "stat -c %u:%g /bin/true /etc/passwd; cp -a /bin/true copy; stat -c %u:%g copy; "
                                 "chown 5:6 copy; stat -c %u:%g copy; rm copy"});
  EXPECT_EQ(result.out, "0:0\n0:0\n0:0\n5:6\n") << result;
}

TEST_P(SandboxTest, RulesBelowAWritablePathStayInTheirPlace) {
  for (const char* const made : {"", "/a", "/a/b", "/a/b/kept"}) {
    ASSERT_TRUE(mkdir((directory_ + "/w" + made).c_str(), 0777) == 0);
    ASSERT_EQ(chmod((directory_ + "/w" + made).c_str(), 0777), 0);
  }
  const std::string kept = directory_ + "/w/a/b/kept";
  const RunResult result = Run(
      {"--rw", directory_ + "/w", "--ro", kept},
      {"sh", "-c",
       "cd w; touch a/b/kept/new || echo read-only; mv a c || echo stays; mv a/b a/c || echo "
       "stays; rmdir a/b/kept || echo stays; touch a/new a/b/new && echo written; mv \"$0\" /tmp/gone || echo stays",
       DirectoryOf(directory_)});
  // /tmp is the guests' own, but not the way to what a rule names below it.
  EXPECT_EQ(result.out, "read-only\nstays\nstays\nstays\nwritten\nstays\n") << result;
  EXPECT_EQ(access(kept.c_str(), F_OK), 0);
  EXPECT_EQ(access((directory_ + "/w/a/b/new").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace guise::tests
