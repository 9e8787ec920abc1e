#include "tests/support/stage.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

#include "tests/support/process.h"

namespace guise::tests {
namespace {

namespace fs = std::filesystem;

constexpr char kServer[] = "server/guised";
constexpr char kServerWithThrough[] = "tests/support/guised_with_through";

// REQUIRES: the directory exists. World-readable whatever the umask.
void MakeOneDirectory(const std::string& path) {
  mkdir(path.c_str(), 0755);
  chmod(path.c_str(), 0755);
}

// Empty: something of it is not among the runfiles.
std::string InstallFromRunfiles(const std::string& prefix, const std::string& server) {
  const std::pair<std::string, std::string> tree[] = {
      {"server/cli/guise", "bin/guise"},
      {server, "bin/guised"},
      {"shim/guise-shim", "libexec/guise/guise-shim"},
      {"shim/gdb/guise-shim-gdb.py", "libexec/guise/guise-shim-gdb.py"},
      {"shim/gdb/guise_gdb.py", "libexec/guise/guise_gdb.py"},
  };
  for (const auto& [runfile, place] : tree) {
    if (access(Runfile(runfile).c_str(), R_OK) != 0) return "";
  }
  for (const char* directory : {"", "/bin", "/libexec", "/libexec/guise"}) MakeOneDirectory(prefix + directory);
  for (const auto& [runfile, place] : tree) CopyFile(Runfile(runfile), fs::path(prefix) / place, 0755);
  return prefix;
}

}  // namespace

std::string Runfile(const std::string& path) {
  const char* base = getenv("TEST_SRCDIR");
  const char* workspace = getenv("TEST_WORKSPACE");
  if (base == nullptr) return path;
  return std::string(base) + "/" + (workspace == nullptr ? "guise" : workspace) + "/" + path;
}

void RemoveTree(const std::string& path) {
  const auto remove_one = [](const char* name, const struct stat*, int, FTW*) { return remove(name) * 0; };
  nftw(path.c_str(), remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

void CopyFile(const std::string& from, const std::string& to, mode_t mode) {
  unlink(to.c_str());
  fs::copy_file(from, to);
  chmod(to.c_str(), mode);
}

Stage& Stage::Get() {
  static Stage stage;
  return stage;
}

Stage::Stage() {
  char name[] = "/tmp/guise test.XXXXXX";
  if (mkdtemp(name) == nullptr) {
    perror(name);
    abort();
  }
  root_ = name;
  chmod(name, 0755);
  const char* installed = getenv("GUISE_PREFIX");
  prefix_ = installed != nullptr ? installed : InstallFromRunfiles(root_ + "/installed tree", kServer);
  through_prefix_ = InstallFromRunfiles(root_ + "/tree with through", kServerWithThrough);
}

Stage::~Stage() {
  if (getenv("GUISE_KEEP_STAGE") == nullptr) RemoveTree(root_);
}

std::string Stage::Guest(const std::string& runfile) {
  const std::string directory = root_ + "/guests";
  MakeOneDirectory(directory);
  std::string place = directory + "/" + fs::path(runfile).filename().string();
  if (access(place.c_str(), F_OK) != 0) CopyFile(Runfile(runfile), place, 0755);
  return place;
}

std::string Stage::MakeDirectory(const Account& account, const std::string& name) {
  std::string path = root_ + "/" + name + "." + std::to_string(++directories_);
  MakeOneDirectory(path);
  if (geteuid() == 0 && chown(path.c_str(), account.uid, account.gid) != 0) perror(path.c_str());
  return path;
}

}  // namespace guise::tests
