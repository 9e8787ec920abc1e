// The file that a server leaves to the next one.
#include "server/sites/library_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/sites/known_sites.h"

namespace guise::server {
namespace {

TEST_F(SitesTest, AFileIsReadAsItWasWritten) {
  const std::string book = directory_ + "/book";
  EXPECT_TRUE(absl::IsNotFound(ReadLibrary(book).status()));
  const sites::Library library = OneFile(PlaceOf(true_site));
  ASSERT_TRUE(WriteLibrary(book, library).ok());
  ASSERT_TRUE(ReadLibrary(book).ok());
  EXPECT_EQ(ReadLibrary(book)->SerializeAsString(), library.SerializeAsString());
  struct stat status = {};
  ASSERT_EQ(stat((book + "/sites").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(SitesTest, ADirectoryOfOthersIsLeftAlone) {
  const std::string book = directory_ + "/book";
  ASSERT_EQ(symlink("/tmp", book.c_str()), 0);
  EXPECT_FALSE(WriteLibrary(book, OneFile(PlaceOf(true_site))).ok()) << "a link may lead to where others write";
  ASSERT_EQ(unlink(book.c_str()), 0);
  if (geteuid() != 0) return;
  ASSERT_EQ(mkdir(book.c_str(), 0777), 0);
  ASSERT_EQ(chown(book.c_str(), 65534, 65534), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(WriteLibrary(book, OneFile(PlaceOf(true_site)))));
}

TEST_F(SitesTest, ADamagedFileIsNone) {
  const std::string book = directory_ + "/book";
  ASSERT_TRUE(WriteLibrary(book, OneFile(PlaceOf(true_site))).ok());
  const std::string sound = Contents(book + "/sites");
  for (size_t at = 0; at < sound.size(); at += 7) {
    std::string bytes = sound;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    Write(book + "/sites", bytes);
    EXPECT_TRUE(absl::IsDataLoss(ReadLibrary(book).status())) << at;
    Write(book + "/sites", sound.substr(0, at));
    EXPECT_TRUE(absl::IsDataLoss(ReadLibrary(book).status())) << at;
  }
}

}  // namespace
}  // namespace guise::server
