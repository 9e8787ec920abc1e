#include "server/sites/own_libraries.h"

#include <dlfcn.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include <string>

#include "absl/status/statusor.h"
#include "proto/wire/book.h"
#include "server/sites/elf_text.h"

namespace guise::server {
namespace {

// What the dynamic linker has mapped `address` from; empty: nothing that has a name.
std::string FileAt(const void* address) {
  Dl_info info = {};
  return dladdr(address, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

void Add(const std::string& path, std::vector<sites::File>* files) {
  struct stat status = {};
  if (path.empty() || stat(path.c_str(), &status) != 0) return;
  const uint64_t identity = IdentityOf(status);
  absl::StatusOr<ElfText> text = ElfText::Open(path, identity);
  if (!text.ok()) return;
  sites::File file;
  file.set_identity(identity);
  file.set_key(wire::BookKey(identity, identity));
  file.set_device(text->device());
  file.set_inode(text->inode());
  for (const ElfText::HardSite& hard : text->HardSites()) {
    sites::Site* const site = file.add_sites();
    site->set_offset(hard.offset);
    site->set_text(hard.text);
    site->set_plan(hard.plan);
  }
  if (!file.sites().empty()) files->push_back(std::move(file));
}

}  // namespace

std::vector<sites::File> OwnLibraries() {
  std::vector<sites::File> files;
  Add(FileAt(dlsym(RTLD_DEFAULT, "getpid")), &files);
  // Its ELF header.
  Add(FileAt(reinterpret_cast<const void*>(getauxval(AT_BASE))), &files);
  return files;
}

}  // namespace guise::server
