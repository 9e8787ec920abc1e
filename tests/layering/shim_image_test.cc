// What the shim's image must be to live in a stranger's process, before any libc: by either compiler.
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <set>
#include <sstream>

#include "tests/support/process.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

constexpr std::size_t kSizeCeiling = 1 << 20;

struct Section {
  std::string name;
  Elf64_Shdr header;
};

class ShimImageTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    path_ = Runfile(GetParam());
    image_ = ReadFile(path_);
    ASSERT_GT(image_.size(), sizeof(Elf64_Ehdr)) << path_;
    header_ = At<Elf64_Ehdr>(0);
    ASSERT_EQ(std::memcmp(header_.e_ident, ELFMAG, SELFMAG), 0);
    for (int i = 0; i < header_.e_phnum; ++i)
      segments_.push_back(At<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr)));
    const Elf64_Shdr names = At<Elf64_Shdr>(header_.e_shoff + header_.e_shstrndx * sizeof(Elf64_Shdr));
    for (int i = 0; i < header_.e_shnum; ++i) {
      const Elf64_Shdr section = At<Elf64_Shdr>(header_.e_shoff + i * sizeof(Elf64_Shdr));
      sections_.push_back({image_.c_str() + names.sh_offset + section.sh_name, section});
    }
  }

  template <typename T>
  T At(std::size_t offset) const {
    T value{};
    if (offset + sizeof(T) <= image_.size()) std::memcpy(&value, image_.data() + offset, sizeof(T));
    return value;
  }

  std::vector<Elf64_Phdr> Segments(uint32_t type) const {
    std::vector<Elf64_Phdr> found;
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == type) found.push_back(segment);
    }
    return found;
  }

  // What a tool of binutils prints of the image.
  std::string Tool(std::vector<std::string> argv) const {
    Command command;
    command.argv = std::move(argv);
    command.argv.push_back(path_);
    command.env = BaseEnvironment("/tmp");
    const RunResult result = RunToEnd(command);
    EXPECT_TRUE(result.ok()) << result.err;
    return result.out;
  }

  std::string path_;
  std::string image_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::vector<Section> sections_;
};

TEST_P(ShimImageTest, IsAPositionIndependentExecutable) {
  EXPECT_EQ(header_.e_type, ET_DYN);
  EXPECT_EQ(header_.e_machine, EM_X86_64);
  EXPECT_NE(header_.e_entry, 0u);
}

TEST_P(ShimImageTest, NeedsNoInterpreterAndNoThreadLocalStorage) {
  EXPECT_TRUE(Segments(PT_INTERP).empty());
  EXPECT_TRUE(Segments(PT_TLS).empty());
  for (const Section& section : sections_) EXPECT_NE(section.name, ".init_array") << "nobody would run it";
}

TEST_P(ShimImageTest, HasNoSegmentThatIsWritableAndExecutable) {
  int executable = 0;
  for (const Elf64_Phdr& segment : Segments(PT_LOAD)) {
    EXPECT_NE(segment.p_flags & (PF_W | PF_X), static_cast<uint32_t>(PF_W | PF_X));
    executable += (segment.p_flags & PF_X) != 0 ? 1 : 0;
  }
  EXPECT_EQ(executable, 1) << "one range of text, which user dispatch can name";
}

TEST_P(ShimImageTest, AsksForAStackThatIsNotExecutable) {
  const std::vector<Elf64_Phdr> stack = Segments(PT_GNU_STACK);
  ASSERT_EQ(stack.size(), 1u);
  EXPECT_EQ(stack[0].p_flags & PF_X, 0u);
}

TEST_P(ShimImageTest, StaysBelowTheSizeCeiling) {
  std::size_t memory = 0;
  for (const Elf64_Phdr& segment : Segments(PT_LOAD)) memory = std::max(memory, segment.p_vaddr + segment.p_memsz);
  EXPECT_LE(memory, kSizeCeiling) << "mapped into every guest";
  EXPECT_LE(image_.size(), 4 * kSizeCeiling) << "the file, with its debug sections";
}

TEST_P(ShimImageTest, HasNoRelocation) {
  for (const Section& section : sections_) {
    if (section.header.sh_type != SHT_RELA && section.header.sh_type != SHT_REL && section.header.sh_type != SHT_RELR)
      continue;
    EXPECT_EQ(section.header.sh_size, 0u) << section.name << "\n" << Tool({"readelf", "-rW"});
  }
  for (const Elf64_Phdr& dynamic : Segments(PT_DYNAMIC)) {
    for (std::size_t at = dynamic.p_offset; at < dynamic.p_offset + dynamic.p_filesz; at += sizeof(Elf64_Dyn)) {
      const Elf64_Dyn entry = At<Elf64_Dyn>(at);
      if (entry.d_tag == DT_NULL) break;
      EXPECT_NE(entry.d_tag, DT_NEEDED);
      if (entry.d_tag == DT_RELASZ || entry.d_tag == DT_RELSZ || entry.d_tag == DT_RELRSZ ||
          entry.d_tag == DT_PLTRELSZ) {
        EXPECT_EQ(entry.d_un.d_val, 0u);
      }
    }
  }
}

TEST_P(ShimImageTest, HasNoUndefinedSymbol) {
  for (const Section& section : sections_) {
    if (section.header.sh_type != SHT_SYMTAB && section.header.sh_type != SHT_DYNSYM) continue;
    const Elf64_Shdr names = sections_[section.header.sh_link].header;
    for (std::size_t at = sizeof(Elf64_Sym); at < section.header.sh_size; at += sizeof(Elf64_Sym)) {
      const auto symbol = At<Elf64_Sym>(section.header.sh_offset + at);
      EXPECT_NE(symbol.st_shndx, SHN_UNDEF) << image_.c_str() + names.sh_offset + symbol.st_name;
    }
  }
}

// The guest's floating-point and vector state is live while the shim runs.
TEST_P(ShimImageTest, TouchesNoVectorOrFloatingPointRegister) {
  std::istringstream lines(Tool({"objdump", "-d", "--no-show-raw-insn"}));
  int instructions = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(":\t") == std::string::npos) continue;
    ++instructions;
    for (const char* name : {"%xmm", "%ymm", "%zmm", "%mm", "%st", "%k0", "%k1"}) {
      const std::size_t found = line.find(name);
      if (found == std::string::npos) continue;
      ADD_FAILURE() << line;
    }
  }
  EXPECT_GT(instructions, 1000) << "objdump shows the image's code";
}

// The one place that may enter the kernel.
TEST_P(ShimImageTest, MakesSyscallsInArchitectureCodeOnly) {
  std::istringstream lines(Tool({"objdump", "-d", "--no-show-raw-insn"}));
  std::vector<std::string> lookup = {"addr2line", "-e", path_};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tab = line.find(":\t");
    if (tab == std::string::npos) continue;
    const std::string instruction = line.substr(tab + 2);
    if (instruction.rfind("syscall", 0) == 0 || instruction.rfind("sysenter", 0) == 0 ||
        instruction.rfind("int ", 0) == 0) {
      lookup.push_back(line.substr(0, tab));
    }
  }
  ASSERT_GT(lookup.size(), 3u);
  Command command;
  command.argv = lookup;
  command.env = BaseEnvironment("/tmp");
  std::istringstream places(RunToEnd(command).out);
  std::set<std::string> elsewhere;
  for (std::string place; std::getline(places, place);) {
    if (place.find("shim/arch/x86_64/") == std::string::npos) elsewhere.insert(place);
  }
  EXPECT_TRUE(elsewhere.empty()) << testing::PrintToString(elsewhere);
}

INSTANTIATE_TEST_SUITE_P(Compilers, ShimImageTest,
                         testing::Values("shim/guise-shim", "tests/layering/guise-shim-by-clang"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param) == "shim/guise-shim" ? "default_compiler" : "clang";
                         });

}  // namespace
}  // namespace guise::tests
