// Guise as one account uses it: the installed commands, with a home and a runtime directory of its own.
#ifndef GUISE_TESTS_SUPPORT_GUISE_H_
#define GUISE_TESTS_SUPPORT_GUISE_H_

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/account.h"
#include "tests/support/process.h"
#include "tests/support/stage.h"

namespace guise::tests {

// A way of running a program: natively or under Guise.
struct Way {
  std::string name;  // fit for a test's name
  bool native = false;
  std::vector<std::string> options = {};  // of `guise run`
  bool fakeroot = false;                  // the program is told that it is root
  bool through = false;                   // needs the server that hosts `through`
  bool sandboxed = false;                 // confined: Showing()
};

inline void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

// native, linux, linux with everything at the server, fakeroot.
const std::vector<Way>& Ways();
const Way& NativeWay();
const Way& LinuxWay();
const Way& LinuxAtServerWay();
const Way& FakerootWay();
// Call sites are rewritten at once, or never. Not of Ways() either.
const Way& LinuxRewrittenWay();
const Way& LinuxSudWay();
// The guest runs where the session knows its call sites from runs before: support/again.c.
const Way& LinuxKnownWay();
// Old calls are made by their modern equivalents, on a kernel that refuses them. Nor is it.
const Way& LegacyWay();
// Confined; the working directory is writable. Nor this.
const Way& SandboxedWay();
// Each personality that programs are run under for its own sake, and the stacks that people make of them: linux,
// legacy:el6, fakeroot, sandboxed, fakeroot,legacy:el6 and fakeroot,sandboxed.
const std::vector<Way>& PersonalityWays();
// The way, where the directory that `path` lies in is shown: a sandbox hides the stage.
Way Showing(Way way, const std::string& path);
// Every call that can be claimed is claimed, and done by the guest for the server. Not one of Ways(): only some tests
// have the server for it (//tests:through_tree).
const Way& ThroughWay();

// A private `guised`, started by `guise server start` and stopped by `guise server stop`; survives neither.
class Guise {
 public:
  // Makes home and runtime directory; starts nothing. `prefix`: where it is installed.
  explicit Guise(const Account& account, const std::string& prefix = Stage::Get().prefix());
  // Stops the server if it was started here, and ends whatever else was left behind in the runtime directory.
  ~Guise();
  Guise(const Guise&) = delete;
  Guise& operator=(const Guise&) = delete;

  // One for each account, made at first use, with a server that runs; lives until the process ends.
  static Guise& Shared(const Account& account);
  // The same without a server, for what runs natively.
  static Guise& Native(const Account& account);

  // The one that fits: Native(), Shared(), or one with the server that hosts `through`.
  static Guise& For(const Way& way, const Account& account);

  // Whether this test was built with, or pointed to, an installed tree.
  static bool Available();

  // Sessions are given what those before have learned of call sites, from now on; else each begins anew, whatever ran
  // before it. REQUIRES: no server runs.
  void KeepSites() { cache_directory_ = home_ + "/cache"; }
  const std::string& cache_directory() const { return cache_directory_; }

  // Words put in front of every command line from now on: a program that confines what it executes.
  void SetWrapper(std::vector<std::string> wrapper) { wrapper_ = std::move(wrapper); }

  const Account& account() const { return account_; }
  const std::string& home() const { return home_; }
  const std::string& runtime_directory() const { return runtime_directory_; }

  // The environment that programs are given: BaseEnvironment, GUISE_RUNTIME_DIR and GUISE_CACHE_DIR.
  std::vector<std::string> Environment() const;

  // `guise ARGUMENTS`, in the home.
  Command Cli(const std::vector<std::string>& arguments) const;

  // `argv` run in this way, in the home.
  Command In(const Way& way, const std::vector<std::string>& argv) const;

  // REQUIRES: success; the result is for the test to check.
  RunResult StartServer();
  RunResult StopServer();

  // A connection to the server's control socket, the caller's to close; -1: none listens in the runtime directory.
  int Connect() const;

  // The pid of the server that listens in the runtime directory; 0: none.
  pid_t ServerPid() const;

 private:
  static Guise& WithServer(const Account& account, const std::string& prefix);

  Account account_;
  std::string prefix_;
  std::string home_;
  std::string runtime_directory_;
  std::string cache_directory_;
  std::vector<std::string> wrapper_;
  bool started_ = false;
};

// Skips the running test, with the reason, where there is no tree to test (a build of the guests alone).
#define GUISE_NEEDS_TREE()                                           \
  if (!::guise::tests::Guise::Available())                           \
  GTEST_SKIP() << "built without guise, guised and guise-shim, and " \
                  "GUISE_PREFIX names no installed tree"

// Likewise where the server for ThroughWay() is missing.
#define GUISE_NEEDS(way)                                      \
  if (!(way).native) GUISE_NEEDS_TREE();                      \
  if ((way).through && Stage::Get().through_prefix().empty()) \
  GTEST_SKIP() << "built without a server that hosts `through`"

}  // namespace guise::tests

#endif  // GUISE_TESTS_SUPPORT_GUISE_H_
