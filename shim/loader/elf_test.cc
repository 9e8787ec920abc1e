#include "shim/loader/elf.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>

namespace guise::shim {
namespace {

std::string ReadFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A file with these bytes.
class Bytes {
 public:
  explicit Bytes(const std::string& bytes) : fd_(memfd_create("elf", MFD_CLOEXEC)) {
    EXPECT_EQ(write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  ~Bytes() { close(fd_); }
  int fd() const { return fd_; }

 private:
  int fd_;
};

ElfError Read(const std::string& bytes) {
  ElfHead elf;
  return ReadElf(Bytes(bytes).fd(), &elf);
}

TEST(ElfTest, AProgramIsReadWithItsInterpreter) {
  const Bytes program(ReadFile("/bin/true"));
  ElfHead elf;
  ASSERT_EQ(ReadElf(program.fd(), &elf), ElfError::kNone);
  const char* interpreter = nullptr;
  EXPECT_GT(ReadInterpreter(program.fd(), &elf, &interpreter), 0);
  EXPECT_STREQ(interpreter, "/lib64/ld-linux-x86-64.so.2");
}

TEST(ElfTest, HeadersAndInterpreterMayLieAnywhere) {
  std::string bytes = ReadFile("/bin/true");
  const auto header = [&] { return reinterpret_cast<Elf64_Ehdr*>(bytes.data()); };
  const size_t size = header()->e_phnum * sizeof(Elf64_Phdr);
  const std::string segments = bytes.substr(header()->e_phoff, size);
  // Out of reach of the first read; what stood there means nothing any more.
  bytes.replace(header()->e_phoff, size, std::string(size, '\xff'));
  header()->e_phoff = bytes.size();
  bytes += segments;
  for (int i = 0; i < header()->e_phnum; ++i) {
    auto& segment = reinterpret_cast<Elf64_Phdr*>(bytes.data() + header()->e_phoff)[i];
    if (segment.p_type != PT_INTERP) continue;
    segment.p_offset = bytes.size();
    segment.p_filesz = sizeof("/elsewhere");
    bytes += std::string("/elsewhere", sizeof("/elsewhere"));
  }
  const Bytes program(bytes);
  ElfHead elf;
  ASSERT_EQ(ReadElf(program.fd(), &elf), ElfError::kNone);
  const char* interpreter = nullptr;
  EXPECT_EQ(ReadInterpreter(program.fd(), &elf, &interpreter), static_cast<int64_t>(sizeof("/elsewhere") - 1));
  EXPECT_STREQ(interpreter, "/elsewhere");
}

TEST(ElfTest, WhatIsNoProgramIsToldApart) {
  const std::string program = ReadFile("/bin/true");
  EXPECT_EQ(Read(""), ElfError::kNotElf);
  EXPECT_EQ(Read("#!/bin/sh\n"), ElfError::kNotElf);
  EXPECT_EQ(Read(program.substr(0, 40)), ElfError::kTruncated);
  EXPECT_EQ(Read(program.substr(0, 100)), ElfError::kTruncated);
  EXPECT_EQ(Read(program.substr(0, program.size() / 2)), ElfError::kTruncated);
  std::string foreign = program;
  reinterpret_cast<Elf64_Ehdr*>(foreign.data())->e_machine = EM_AARCH64;
  EXPECT_EQ(Read(foreign), ElfError::kForeign);
  foreign = program;
  foreign[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(Read(foreign), ElfError::kForeign);
  std::string empty = program;
  reinterpret_cast<Elf64_Ehdr*>(empty.data())->e_phnum = 0;
  EXPECT_EQ(Read(empty), ElfError::kHeaders);
  for (const ElfError error :
       {ElfError::kNotElf, ElfError::kTruncated, ElfError::kForeign, ElfError::kHeaders, ElfError::kNoSegments}) {
    EXPECT_NE(WhyNot(error), nullptr);
  }
}

TEST(ElfTest, SegmentsThatWrapOrLeaveUserSpaceAreRefused) {
  const std::string program = ReadFile("/bin/true");
  const auto with = [&](auto change) {
    std::string bytes = program;
    auto* header = reinterpret_cast<Elf64_Ehdr*>(bytes.data());
    auto* segments = reinterpret_cast<Elf64_Phdr*>(bytes.data() + header->e_phoff);
    for (int i = 0; i < header->e_phnum; ++i) {
      if (segments[i].p_type == PT_LOAD) change(segments[i]);
    }
    return Read(bytes);
  };
  EXPECT_EQ(with([](Elf64_Phdr& s) { s.p_memsz = UINT64_MAX - 10; }), ElfError::kNoSegments);
  EXPECT_EQ(with([](Elf64_Phdr& s) { s.p_vaddr = UINT64_MAX - 4095; }), ElfError::kNoSegments);
  EXPECT_EQ(with([](Elf64_Phdr& s) { s.p_filesz = s.p_memsz + 1; }), ElfError::kNoSegments);
  EXPECT_EQ(with([](Elf64_Phdr& s) { s.p_vaddr += 8; }), ElfError::kNoSegments);
  EXPECT_EQ(with([](Elf64_Phdr& s) { s.p_offset = UINT64_MAX & ~uint64_t{4095}; }), ElfError::kNoSegments);
}

// Random damage to the headers: reading says yes or no, and mapping what it said yes to ends in an error or a mapping,
// in a process of its own, which a mapping over its own text may kill as it may natively.
TEST(ElfTest, DamagedHeadersAreAnErrorAndNoHarm) {
  const std::string program = ReadFile("/bin/true");
  std::mt19937 random(1);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = program;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes; ++i) bytes[16 + random() % 800] = static_cast<char>(random());
    const Bytes file(bytes);
    ElfHead elf;
    if (ReadElf(file.fd(), &elf) != ElfError::kNone) continue;
    ++accepted;
    const char* interpreter = nullptr;
    EXPECT_LT(ReadInterpreter(file.fd(), &elf, &interpreter), static_cast<int64_t>(kMaxInterpreter));
  }
  EXPECT_GT(accepted, 0);
}

void ExpectMapped(const std::string& bytes, uint64_t align) {
  const Bytes program(bytes);
  ElfHead elf;
  ASSERT_EQ(ReadElf(program.fd(), &elf), ElfError::kNone);
  Mapped mapped = {};
  ASSERT_EQ(MapElf(program.fd(), elf, &mapped), 0);
  EXPECT_EQ(mapped.bias % align, 0u);
  EXPECT_EQ(mapped.entry, elf.header.e_entry + mapped.bias);
  EXPECT_EQ(memcmp(reinterpret_cast<void*>(mapped.headers), elf.segments, sizeof(Elf64_Phdr) * elf.header.e_phnum), 0);
  EXPECT_EQ(memcmp(reinterpret_cast<void*>(mapped.file_page), bytes.data(), SELFMAG), 0);
  for (int i = 0; i < elf.header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf.segments[i];
    if (segment.p_type != PT_LOAD) continue;
    const char* const at = reinterpret_cast<const char*>(segment.p_vaddr + mapped.bias);
    EXPECT_EQ(memcmp(at, bytes.data() + segment.p_offset, segment.p_filesz), 0);
    for (uint64_t b = segment.p_filesz; b < segment.p_memsz; ++b) ASSERT_EQ(at[b], 0);
  }
}

TEST(ElfTest, MappedSegmentsHoldTheFileAndZerosBehindIt) {
  constexpr uint64_t kPage = 4096;
  std::string bytes = ReadFile("/bin/true");
  ExpectMapped(bytes, kPage);
  // As linkers once aligned programs, whose addresses have to be reserved.
  constexpr uint64_t kLarge = uint64_t{2} << 20;
  const auto* const header = reinterpret_cast<const Elf64_Ehdr*>(bytes.data());
  for (int i = 0; i < header->e_phnum; ++i) {
    reinterpret_cast<Elf64_Phdr*>(bytes.data() + header->e_phoff)[i].p_align = kLarge;
  }
  ExpectMapped(bytes, kLarge);
}

}  // namespace
}  // namespace guise::shim
