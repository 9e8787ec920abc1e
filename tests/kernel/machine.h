// A virtual machine that boots a kernel of Debian's with a root file system made of files of the host. By emulation:
// slow, but it needs no right and no KVM.
#ifndef GUISE_TESTS_KERNEL_MACHINE_H_
#define GUISE_TESTS_KERNEL_MACHINE_H_

#include <string>
#include <vector>

namespace guise::tests {

// The image of Debian 12's cloud kernel: GUISE_TEST_KERNEL, else an installed one, else one that apt-get downloads and
// nobody installs. Empty: none is to be had; `why` says so.
std::string FindKernel(std::string* why);

// The files of a machine to come, in a directory.
class RootFileSystem {
 public:
  // Begins with busybox under all its names, /bin/bash and coreutils with their libraries, users root and nobody.
  explicit RootFileSystem(std::string directory);

  // Copies a program to `place` and the libraries that it needs to where it looks for them.
  void AddProgram(const std::string& from, const std::string& place);
  // Copies a tree; links become what they point to; programs in it get their libraries.
  void AddTree(const std::string& from, const std::string& place);
  void AddText(const std::string& place, const std::string& text, bool executable);

  // Packs all into an initramfs; returns its path.
  std::string Pack() const;

 private:
  void AddLibrariesOf(const std::string& program);

  std::string directory_;
  std::vector<std::string> known_;  // libraries that are there
};

struct Boot {
  std::string serial;  // all that the machine said
  bool ended = false;  // by itself
};

// Boots and waits for the machine to power itself off. `cpu` is qemu's name of a model.
Boot RunMachine(const std::string& kernel, const std::string& initramfs, const std::string& cpu, int patience_seconds);

}  // namespace guise::tests

#endif  // GUISE_TESTS_KERNEL_MACHINE_H_
