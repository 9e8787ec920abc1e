#include "server/sites/known_sites.h"

#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "server/sites/elf_text.h"

// The functions are the compiler's, so that the linker's table knows them.
extern "C" [[gnu::noinline]] long TrueSite() {
  long result = 39;  // getpid
  asm volatile(".globl true_site\ntrue_site: syscall" : "+a"(result) : : "rcx", "r11", "memory");
  return result;
}
extern "C" [[gnu::noinline]] long FalseSite() {
  long result;
  asm volatile(".globl false_site\nmov $0x050f, %%eax\n.set false_site, . - 4" : "=a"(result));
  return result;
}
extern "C" [[gnu::noinline]] long LoneSite() {
  long result = 39;
  asm volatile(".globl lone_site\njmp lone_site\nlone_site: syscall\n.fill 200, 1, 0x90"
               : "+a"(result)
               :
               : "rcx", "r11", "memory");
  return result;
}

namespace guise::server {

Place PlaceOf(const char* address) {
  struct Wanted {
    uint64_t address;
    uint64_t offset = 0;
  } wanted{reinterpret_cast<uint64_t>(address)};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto* const found = static_cast<Wanted*>(data);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& segment = info->dlpi_phdr[i];
          const uint64_t at = found->address - (info->dlpi_addr + segment.p_vaddr);
          if (segment.p_type == PT_LOAD && at < segment.p_filesz) found->offset = segment.p_offset + at;
        }
        return found->offset != 0 ? 1 : 0;
      },
      &wanted);
  char path[4096] = {};
  EXPECT_GT(readlink("/proc/self/exe", path, sizeof(path) - 1), 0);
  uint64_t text;
  memcpy(&text, address, sizeof(text));
  return {path, wanted.offset, text};
}

uint64_t IdentityOf(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return IdentityOf(status);
}

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void Write(const std::string& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
}

sites::Library OneFile(const Place& site) {
  sites::Library library;
  sites::File* const file = library.add_files();
  file->set_path(site.path);
  file->set_identity(IdentityOf(site.path));
  file->set_key(IdentityOf(site.path));
  file->set_learners(8);
  sites::Site* const one = file->add_sites();
  one->set_offset(site.offset);
  one->set_nr(39);
  one->set_text(site.text);
  one->set_caught(64);
  return library;
}

}  // namespace guise::server
