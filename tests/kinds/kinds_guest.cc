// Performs every recipe in every scenario and prints what came of it, a line each: the same natively and under Guise.
// `check`: also holds the table against it, for the one run that is native. With names: those rows only.
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/kinds/checks.h"

namespace guise::kinds {
namespace {

const char* NameOf(syscall::Nr nr) {
  switch (nr) {
#define GUISE_SYSCALL(nr, name, ...) \
  case syscall::Nr::name:            \
    return #name;
#include "proto/syscall/x86_64.def"
  }
  return "?";
}

// What this kernel, file system or machine does not have proves nothing.
bool IsAbsent(const Recipe& recipe, long result) {
  const syscall::Row& row = *syscall::Find(static_cast<uint32_t>(recipe.nr));
  return (result == -ENOSYS && (row.Has(syscall::Trait::ConfigDependent) || row.kernels.since != 0)) ||
         result == -EOPNOTSUPP;
}

bool IsAsItMust(const Recipe& recipe, const Outcome& outcome) {
  switch (recipe.must.kind) {
    case Must::Kind::Succeed:
      return outcome.ok() || IsAbsent(recipe, outcome.result);
    case Must::Kind::SucceedAsRoot:
      return outcome.ok() || geteuid() != 0 || IsAbsent(recipe, outcome.result);
    case Must::Kind::Fail:
      return outcome.result == -recipe.must.error || IsAbsent(recipe, outcome.result);
    case Must::Kind::Whatever:
      return outcome.result != kBlocked && outcome.result != kKilled;
  }
  return false;
}

bool IsAsked(const char* name, int argc, char** argv) {
  bool any = false;
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "check") == 0) continue;
    if (strcmp(argv[i], name) == 0) return true;
    any = true;
  }
  return !any;
}

int Main(int argc, char** argv) {
  bool check = false;
  for (int i = 1; i < argc; ++i) check = check || strcmp(argv[i], "check") == 0;
  // What root's calls change stays here.
  if (geteuid() == 0) {
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      perror("unshare");
      return 70;
    }
  }
  MapAreas();
  int wrong = 0;
  for (const Recipe& recipe : Recipes()) {
    const char* const name = NameOf(recipe.nr);
    if (!IsAsked(name, argc, argv)) continue;
    std::vector<Run> runs;
    for (const Scenario& scenario : ScenariosOf(recipe)) {
      runs.emplace_back(scenario, Perform(recipe, scenario));
      printf("%s %s: %s\n", name, scenario.Text().c_str(), Describe(recipe, runs.back().second).c_str());
    }
    if (!check) continue;
    if (!IsAsItMust(recipe, runs[0].second)) {
      fprintf(stderr, "%s: base arguments give %ld\n", name, runs[0].second.result);
      ++wrong;
    }
    for (const std::string& broken : Broken(recipe, runs)) {
      fprintf(stderr, "%s: %s\n", name, broken.c_str());
      ++wrong;
    }
  }
  fflush(stdout);
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace guise::kinds

int main(int argc, char** argv) { return guise::kinds::Main(argc, argv); }
