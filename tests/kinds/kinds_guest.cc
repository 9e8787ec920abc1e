// Performs every recipe in every scenario and prints what came of it, a line each: the same natively and under Guise.
// `plant`: instead holds wrong rows against it, to see that each is noticed.
// `check`: also holds the table against it, for the one run that is native. `harmless`: whoever believes to be root
// here is not, or is confined, and needs no namespaces of its own. With names: those rows only.
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "tests/kinds/checks.h"
#include "tests/kinds/plants.h"

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
  const syscall::Row& row = recipe.row();
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

bool IsWord(const char* word, int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc, [&](const char* argument) { return strcmp(argument, word) == 0; });
}

bool IsOption(const char* word) {
  return strcmp(word, "check") == 0 || strcmp(word, "plant") == 0 || strcmp(word, "harmless") == 0;
}

bool IsAsked(const char* name, int argc, char** argv) {
  bool any = false;
  for (int i = 1; i < argc; ++i) {
    if (IsOption(argv[i])) continue;
    if (strcmp(argv[i], name) == 0) return true;
    any = true;
  }
  return !any;
}

// Whether the checks believe a wrong row. What makes the calls fail otherwise than the right row does is noticed too.
bool Believes(const Recipe& recipe, const kinds::Plant& plant) {
  Recipe wrong = recipe;
  wrong.planted = &plant.row;
  std::vector<Run> runs;
  for (const Scenario& scenario : ScenariosOf(wrong)) {
    if (scenario.how < How::Number) runs.emplace_back(scenario, Perform(wrong, scenario));
  }
  return IsAsItMust(wrong, runs[0].second) && Broken(wrong, runs).empty();
}

// For each wrong row a line: "read 1 bytes+4: noticed" by one recipe at least, "believed" by all, or "untold", where
// on this machine no recipe works that could tell.
void TryPlants(const char* name, const std::vector<const Recipe*>& recipes) {
  for (const kinds::Plant& plant : PlantsOf(recipes[0]->row())) {
    const char* verdict = "untold";
    for (const Recipe* recipe : recipes) {
      if (!Tells(*recipe, Perform(*recipe, {How::Roomy}))) continue;
      verdict = Believes(*recipe, plant) ? "believed" : "noticed";
      if (*verdict == 'n') break;
    }
    printf("%s %zu %s: %s\n", name, plant.position, plant.text.c_str(), verdict);
  }
}

void TryAllPlants(int argc, char** argv) {
  std::map<syscall::Nr, std::vector<const Recipe*>> recipes;
  for (const Recipe& recipe : Recipes()) recipes[recipe.nr].push_back(&recipe);
  for (const auto& [nr, of_row] : recipes) {
    if (IsAsked(NameOf(nr), argc, argv)) TryPlants(NameOf(nr), of_row);
  }
}

int Main(int argc, char** argv) {
  const bool check = IsWord("check", argc, argv);
  // What root's calls change stays here.
  if (geteuid() == 0 && !IsWord("harmless", argc, argv)) {
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      perror("unshare");
      return 70;
    }
  }
  MapAreas();
  if (IsWord("plant", argc, argv)) {
    TryAllPlants(argc, argv);
    return 0;
  }
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
