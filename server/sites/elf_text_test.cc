// Which bytes of a file are call sites, whoever says so and whatever the file holds.
#include "server/sites/elf_text.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/sites/known_sites.h"

namespace guise::server {
namespace {

TEST_F(SitesTest, ASyscallInstructionIsOneWhereItsFunctionSaysSo) {
  const Place site = PlaceOf(true_site);
  absl::StatusOr<ElfText> text = ElfText::Open(site.path, IdentityOf(site.path));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_TRUE(text->PlanOf(site.offset, site.text).has_value());
  EXPECT_FALSE(text->PlanOf(site.offset, site.text ^ (uint64_t{1} << 63)).has_value());
  EXPECT_FALSE(text->PlanOf(site.offset + 1, site.text).has_value());
  for (const uint64_t offset : {uint64_t{0}, uint64_t{1} << 40, UINT64_MAX, UINT64_MAX - 8}) {
    EXPECT_FALSE(text->PlanOf(offset, site.text).has_value()) << offset;
  }
}

TEST_F(SitesTest, TheSameBytesWithinAnInstructionAreNone) {
  const Place site = PlaceOf(false_site);
  ASSERT_EQ(site.text & 0xffff, 0x050fu) << "the bytes of a syscall instruction";
  absl::StatusOr<ElfText> text = ElfText::Open(site.path, IdentityOf(site.path));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_FALSE(text->PlanOf(site.offset, site.text).has_value());
  EXPECT_EQ(FalseSite(), 0x050f);
  EXPECT_EQ(TrueSite(), getpid());
}

TEST_F(SitesTest, OnlyTheFileThatWasMeantIsRead) {
  const Place site = PlaceOf(true_site);
  EXPECT_TRUE(absl::IsNotFound(ElfText::Open(site.path, IdentityOf(site.path) + 1).status()));
  EXPECT_TRUE(absl::IsNotFound(ElfText::Open("/no/such/file", 1).status()));
  for (const char* other : {"/dev/zero", "/tmp", "/etc/passwd"}) {
    EXPECT_FALSE(ElfText::Open(other, IdentityOf(other)).ok()) << other;
  }
  const std::string pipe = directory_ + "/elf";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(ElfText::Open(pipe, IdentityOf(pipe)).ok()) << "and not waited for";
}

// Whatever the file holds, each answer is given, and no byte outside of it is read (under the address sanitizer).
TEST_F(SitesTest, AnyFileMayBeAskedOf) {
  const Place site = PlaceOf(true_site);
  const std::string sound = Contents(site.path);
  const std::string path = directory_ + "/elf";
  std::mt19937_64 random(1);
  int opened = 0;
  for (int round = 0; round < 400; ++round) {
    std::string bytes = sound;
    // The headers, and what they lead to.
    for (int i = 0; i < 4; ++i) {
      const uint64_t where = round % 2 == 0 ? random() % 1024 : random() % bytes.size();
      bytes[where] = static_cast<char>(random());
    }
    if (round % 8 == 7) bytes.resize(random() % bytes.size());
    Write(path, bytes);
    absl::StatusOr<ElfText> text = ElfText::Open(path, IdentityOf(path));
    if (!text.ok()) continue;
    ++opened;
    text->PlanOf(site.offset, site.text);
    text->PlanOf(random() % (2 * sound.size()), random());
  }
  EXPECT_GT(opened, 50) << "most of a file does not matter to what is asked";
}

}  // namespace
}  // namespace guise::server
