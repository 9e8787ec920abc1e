#include "tests/kernel/machine.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/process.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

namespace fs = std::filesystem;

constexpr char kPackagePrefix[] = "linux-image-6.1.";

Command Shell(const std::string& script, const std::string& directory) {
  Command command;
  command.argv = {"sh", "-ec", script};
  command.env = BaseEnvironment(directory);
  command.cwd = directory;
  command.patience_seconds = 600;
  return command;
}

std::string Newest(const std::string& directory, const std::string& prefix) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(prefix, 0) == 0 && name.find("cloud-amd64") != std::string::npos)
      found.push_back(entry.path().string());
  }
  return found.empty() ? "" : *std::max_element(found.begin(), found.end());
}

bool IsDynamic(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Elf64_Ehdr header{};
  file.read(reinterpret_cast<char*>(&header), sizeof(header));
  if (std::string(reinterpret_cast<char*>(header.e_ident), SELFMAG) != ELFMAG) return false;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    file.seekg(static_cast<std::streamoff>(header.e_phoff + i * sizeof(segment)));
    file.read(reinterpret_cast<char*>(&segment), sizeof(segment));
    if (segment.p_type == PT_INTERP) return true;
  }
  return false;
}

}  // namespace

std::string FindKernel(std::string* why) {
  const char* given = getenv("GUISE_TEST_KERNEL");
  if (given != nullptr) return given;
  const std::string installed = Newest("/boot", "vmlinuz-6.1.");
  if (!installed.empty()) return installed;
  const std::string directory = Stage::Get().root() + "/kernel";
  fs::create_directory(directory);
  const std::string script =
      "package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \\(" + std::string(kPackagePrefix) +
      ".*\\)/\\1/p' | head -1); test -n \"$package\"; apt-get -q download \"$package\"; dpkg-deb -x ./*.deb .";
  const RunResult result = RunToEnd(Shell(script, directory));
  const std::string unpacked = Newest(directory + "/boot", "vmlinuz-6.1.");
  if (unpacked.empty()) *why = "no cloud kernel in /boot, and apt-get downloads none: " + result.err;
  return unpacked;
}

RootFileSystem::RootFileSystem(std::string directory) : directory_(std::move(directory)) {
  for (const char* place : {"bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "lib64", "usr/bin"}) {
    fs::create_directories(directory_ + "/" + place);
  }
  AddProgram("/bin/busybox", "/bin/busybox");
  RunToEnd(Shell(
      "bin/busybox --install -s \"$PWD/bin\"; for f in bin/*; do test -L $f && ln -sf /bin/busybox $f; done; true",
      directory_));
  for (const char* name : {"bash", "dash", "id", "stat", "touch", "chown", "env", "ls", "cat", "seq", "sleep"}) {
    const std::string place = std::string("/usr/bin/") + name;
    if (access(place.c_str(), X_OK) == 0) AddProgram(place, place);
  }
  // ldd knows nothing of musl, whose loader is its libc.
  const std::string musl = "/lib/ld-musl-x86_64.so.1";
  if (access(musl.c_str(), X_OK) == 0) AddProgram(musl, musl);
  AddText("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n", false);
  AddText("/etc/group", "root:x:0:\nnogroup:x:65534:\n", false);
}

void RootFileSystem::AddProgram(const std::string& from, const std::string& place) {
  const std::string to = directory_ + place;
  fs::create_directories(fs::path(to).parent_path());
  fs::copy_file(fs::canonical(from), to, fs::copy_options::overwrite_existing);
  chmod(to.c_str(), 0755);
  AddLibrariesOf(from);
}

void RootFileSystem::AddTree(const std::string& from, const std::string& place) {
  for (const auto& entry : fs::recursive_directory_iterator(from, fs::directory_options::follow_directory_symlink)) {
    if (!fs::is_regular_file(entry.path())) continue;
    const std::string name = entry.path().string().substr(from.size());
    if (name.find(".runfiles/") != std::string::npos || name.find("/_objs/") != std::string::npos) continue;
    AddProgram(entry.path().string(), place + name);
  }
}

void RootFileSystem::AddText(const std::string& place, const std::string& text, bool executable) {
  WriteFile(directory_ + place, text, executable ? 0755 : 0644);
}

void RootFileSystem::AddLibrariesOf(const std::string& program) {
  if (!IsDynamic(program)) return;
  Command command = Shell("ldd \"$PROGRAM\" 2>/dev/null | grep -o '/[^ ]*'; true", "/");
  command.env.push_back("PROGRAM=" + program);
  std::istringstream libraries(RunToEnd(command).out);
  for (std::string library; std::getline(libraries, library);) {
    if (std::find(known_.begin(), known_.end(), library) != known_.end()) continue;
    known_.push_back(library);
    if (access(library.c_str(), R_OK) != 0) continue;
    const std::string to = directory_ + library;
    fs::create_directories(fs::path(to).parent_path());
    fs::copy_file(fs::canonical(library), to, fs::copy_options::overwrite_existing);
  }
}

std::string RootFileSystem::Pack() const {
  const std::string archive = directory_ + ".cpio";
  Command command = Shell("find . | busybox cpio -o -H newc > \"$ARCHIVE\"", directory_);
  command.env.push_back("ARCHIVE=" + archive);
  const RunResult result = RunToEnd(command);
  return result.ok() ? archive : "";
}

Boot RunMachine(const std::string& kernel, const std::string& initramfs, const std::string& cpu, int patience_seconds) {
  Command command;
  command.argv = {"qemu-system-x86_64",
                  "-accel",
                  "tcg,thread=multi",
                  "-cpu",
                  cpu,
                  "-smp",
                  "2",
                  "-m",
                  "2048",
                  "-display",
                  "none",
                  "-monitor",
                  "none",
                  "-serial",
                  "stdio",
                  "-no-reboot",
                  "-nic",
                  "none",
                  "-kernel",
                  kernel,
                  "-initrd",
                  initramfs,
                  "-append",
                  "console=ttyS0 quiet panic=-1"};
  command.env = BaseEnvironment("/tmp");
  command.patience_seconds = patience_seconds;
  const RunResult result = RunToEnd(command);
  return Boot{result.out + result.err, result.ok()};
}

}  // namespace guise::tests
