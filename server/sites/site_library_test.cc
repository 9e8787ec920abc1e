// What guests, or a file on disk, claim of call sites is kept only where the server finds it in the file itself.
#include "server/sites/site_library.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "proto/wire/book.h"
#include "proto/wire/layout.h"
#include "server/channel/shared_memory.h"
#include "server/sites/known_sites.h"
#include "server/sites/library_file.h"

namespace guise::server {
namespace {

using Known = SiteLibrary::Known;

// A session's memories, written as its guests do.
class FakeSession {
 public:
  FakeSession() : memories_(*SessionMemories::Create(1, wire::kReplySizeDefault)) {
    guest_ = static_cast<char*>(
        mmap(nullptr, wire::kFirstWindow, PROT_READ | PROT_WRITE, MAP_SHARED, memories_->request.fd(), 0));
    EXPECT_NE(guest_, MAP_FAILED);
  }
  ~FakeSession() { munmap(guest_, wire::kFirstWindow); }

  std::shared_ptr<const SessionMemories> memories() const { return memories_; }

  // As the program does whose file's identity is `program`; 0: of its own file.
  wire::BookFile& Claim(uint64_t identity, const std::string& path, uint32_t learners, uint64_t program = 0) {
    auto* const book = reinterpret_cast<wire::Book*>(guest_ + wire::kBookOffset);
    const uint64_t key = wire::BookKey(identity, program);
    uint64_t at = key % wire::kBookFiles;
    while (book->keys[at].Relaxed() != 0) at = (at + 1) % wire::kBookFiles;
    book->keys[at].StoreRelaxed(key);
    const uint32_t place = book->used.Add(1);
    book->places[at].StoreRelaxed(place + 1);
    wire::BookFile& file = book->files[place];
    file.identity.StoreRelaxed(identity);
    file.learners.StoreRelaxed(learners);
    for (size_t i = 0; i < path.size() && i < wire::kBookPath; ++i) {
      file.path[i].StoreRelaxed(static_cast<uint8_t>(path[i]));
    }
    return file;
  }
  static void Add(wire::BookFile& file, int at, const Place& site, uint32_t caught) {
    file.sites[at].place.StoreRelaxed(wire::BookPlace(site.offset, 39));
    file.sites[at].text.StoreRelaxed(site.text);
    file.sites[at].caught.StoreRelaxed(caught);
  }

  // What the server has written; null: nothing of the file.
  const wire::BookFile* Known(uint64_t identity, uint64_t program = 0) const {
    const auto* const book = reinterpret_cast<const wire::Book*>(memories_->reply.data() + wire::kBookOffset);
    for (uint32_t i = 0; i < wire::kBookFiles; ++i) {
      if (book->keys[i].Acquire() == wire::BookKey(identity, program)) {
        return &book->files[book->places[i].Relaxed() - 1];
      }
    }
    return nullptr;
  }

 private:
  std::shared_ptr<SessionMemories> memories_;
  char* guest_;
};

class SiteLibraryTest : public SitesTest {
 protected:
  SiteLibraryTest() : site_(PlaceOf(true_site)), identity_(IdentityOf(site_.path)), book_(directory_ + "/book") {}

  // A session in which the site took so many signals in so many processes.
  void LearnTrueSite(SiteLibrary& library, uint32_t learners, uint32_t caught) const {
    FakeSession session;
    FakeSession::Add(session.Claim(identity_, site_.path, learners), 0, site_, caught);
    library.Learn(session.memories());
    library.Settle();
  }

  Place site_;
  uint64_t identity_;
  std::string book_;
};

TEST_F(SiteLibraryTest, WhatOneSessionLearnsTheNextOneKnows) {
  SiteLibrary library("");
  LearnTrueSite(library, 3, 90);
  LearnTrueSite(library, 1, 10);
  const FakeSession session;
  library.Fill(session.memories(), Known::kAll);
  library.Settle();
  const wire::BookFile* const known = session.Known(identity_);
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->learners.Relaxed(), 4u);
  EXPECT_EQ(known->sites[0].place.Relaxed(), wire::BookPlace(site_.offset, 39));
  EXPECT_EQ(known->sites[0].text.Relaxed(), site_.text);
  EXPECT_EQ(known->sites[0].caught.Relaxed(), 100u);
  EXPECT_EQ(known->sites[1].place.Relaxed(), 0u);
  struct stat status = {};
  ASSERT_EQ(stat(site_.path.c_str(), &status), 0);
  EXPECT_EQ(known->device.Relaxed(), status.st_dev);
  EXPECT_EQ(known->inode.Relaxed(), status.st_ino);
}

// Each program calls other functions of a library, and others of it again when the library has changed.
TEST_F(SiteLibraryTest, AProgramIsToldWhatItsOwnProcessesCall) {
  constexpr uint64_t kCopies = 5, kWaits = 6;
  const std::string library_path = directory_ + "/elf";
  Write(library_path, Contents(site_.path));
  const uint64_t before = IdentityOf(library_path);
  SiteLibrary library(book_);
  {
    FakeSession session;
    FakeSession::Add(session.Claim(before, library_path, 4, kCopies), 0, site_, 400);
    FakeSession::Add(session.Claim(before, library_path, 4, kWaits), 0, site_, 4);
    library.Learn(session.memories());
    library.Settle();
  }
  const FakeSession session;
  library.Fill(session.memories(), Known::kAll);
  library.Settle();
  ASSERT_NE(session.Known(before, kCopies), nullptr);
  EXPECT_EQ(session.Known(before, kCopies)->sites[0].caught.Relaxed(), 400u);
  ASSERT_NE(session.Known(before, kWaits), nullptr);
  EXPECT_EQ(session.Known(before, kWaits)->sites[0].caught.Relaxed(), 4u);
  EXPECT_EQ(session.Known(before), nullptr);

  Write(library_path, Contents(site_.path) + "newer");
  const uint64_t now = IdentityOf(library_path);
  {
    FakeSession later;
    FakeSession::Add(later.Claim(now, library_path, 4, kCopies), 0, site_, 40);
    library.Learn(later.memories());
    library.Settle();
  }
  ASSERT_TRUE(ReadLibrary(book_).ok());
  EXPECT_EQ(ReadLibrary(book_)->files_size(), 1) << "what is not there any more needs no room";
}

TEST_F(SiteLibraryTest, OneSessionDoesNotDriveOutWhatOthersHaveLearned) {
  SiteLibrary library(book_);
  FakeSession forger;
  for (uint64_t program = 1; program < wire::kBookFiles; ++program) {
    FakeSession::Add(forger.Claim(identity_, site_.path, 8, program), 0, site_, 80);
  }
  library.Learn(forger.memories());
  library.Settle();
  ASSERT_TRUE(ReadLibrary(book_).ok());
  EXPECT_EQ(ReadLibrary(book_)->files_size(), 64);
}

TEST_F(SiteLibraryTest, AveragesOfManyProcessesStayWhatTheyAre) {
  SiteLibrary library("");
  LearnTrueSite(library, 100'000, 1'000'000);
  const FakeSession session;
  library.Fill(session.memories(), Known::kAll);
  library.Settle();
  const wire::BookFile* const known = session.Known(identity_);
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->sites[0].caught.Relaxed(), 10 * known->learners.Relaxed());
}

TEST_F(SiteLibraryTest, ANameNeedNotBeText) {
  const std::string path = directory_ + "/elf\xff";
  Write(path, Contents(site_.path));
  site_.path = path;
  identity_ = IdentityOf(path);
  {
    SiteLibrary library(book_);
    LearnTrueSite(library, 8, 80);
  }
  EXPECT_TRUE(ReadLibrary(book_).ok());
}

// Of what two servers know, neither forgets the other's.
TEST_F(SiteLibraryTest, TwoServersShareAFile) {
  SiteLibrary first(book_);
  SiteLibrary second(book_);
  first.Fill(FakeSession().memories(), Known::kAll);
  second.Fill(FakeSession().memories(), Known::kAll);
  first.Settle();
  second.Settle();
  LearnTrueSite(first, 8, 80);
  const std::string copy = directory_ + "/elf";
  Write(copy, Contents(site_.path));
  site_.path = copy;
  identity_ = IdentityOf(copy);
  LearnTrueSite(second, 8, 80);
  ASSERT_TRUE(ReadLibrary(book_).ok());
  EXPECT_EQ(ReadLibrary(book_)->files_size(), 2);
}

TEST_F(SiteLibraryTest, ItIsKeptForTheNextServer) {
  {
    SiteLibrary library(book_);
    LearnTrueSite(library, 8, 80);
  }
  SiteLibrary library(book_);
  const FakeSession session;
  library.Fill(session.memories(), Known::kAll);
  library.Settle();
  ASSERT_NE(session.Known(identity_), nullptr);
  EXPECT_EQ(session.Known(identity_)->sites[0].caught.Relaxed(), 80u);
}

TEST_F(SiteLibraryTest, WhatAGuestForgesIsNotGivenToOthers) {
  SiteLibrary library("");
  FakeSession forger;
  wire::BookFile& file = forger.Claim(identity_, site_.path, 8);
  FakeSession::Add(file, 0, PlaceOf(false_site), 1000);
  FakeSession::Add(file, 1, {"", site_.offset + 2, site_.text}, 1000);
  FakeSession::Add(file, 2, site_, 1000);
  forger.Claim(identity_ + 1, site_.path, 8);
  FakeSession::Add(forger.Claim(77, "/dev/zero", 8), 0, site_, 1000);
  FakeSession::Add(forger.Claim(78, "sites", 8), 0, site_, 1000);
  library.Learn(forger.memories());
  library.Settle();
  const FakeSession session;
  library.Fill(session.memories(), Known::kAll);
  library.Settle();
  ASSERT_NE(session.Known(identity_), nullptr);
  EXPECT_EQ(session.Known(identity_)->sites[0].place.Relaxed(), wire::BookPlace(site_.offset, 39));
  EXPECT_EQ(session.Known(identity_)->sites[1].place.Relaxed(), 0u);
  for (const uint64_t other : {identity_ + 1, uint64_t{77}, uint64_t{78}}) EXPECT_EQ(session.Known(other), nullptr);
}

TEST_F(SiteLibraryTest, WhatIsForgedOnDiskIsNotGivenToAnybody) {
  Place wrong = PlaceOf(false_site);
  ASSERT_TRUE(WriteLibrary(book_, OneFile(wrong)).ok());
  SiteLibrary library(book_);
  const FakeSession session;
  library.Fill(session.memories(), Known::kAll);
  library.Settle();
  EXPECT_EQ(session.Known(identity_), nullptr);
}

TEST_F(SiteLibraryTest, ASiteThatCannotBeRewrittenIsForgotten) {
  SiteLibrary library("");
  EXPECT_EQ(LoneSite(), getpid());
  const auto learn = [&](uint32_t plan) {
    FakeSession told;
    wire::BookFile& file = told.Claim(identity_, site_.path, 8);
    FakeSession::Add(file, 0, PlaceOf(lone_site), 80);
    file.sites[0].plan.StoreRelaxed(plan);
    library.Learn(told.memories());
    library.Settle();
  };
  learn(0);
  learn(wire::kBookHard);
  learn(wire::kBookHard | 0xff << wire::kBookAheadShift);
  const FakeSession session;
  library.Fill(session.memories(), Known::kAll);
  library.Settle();
  const wire::BookFile* const known = session.Known(identity_);
  EXPECT_TRUE(known == nullptr || known->sites[0].place.Relaxed() == 0);
}

// A sandbox is to know what is so of the C library, and nothing of what others have run.
TEST_F(SiteLibraryTest, TheServersOwnLibrariesAreToldOfAlone) {
  SiteLibrary library("");
  LearnTrueSite(library, 4, 400);
  const FakeSession session;
  library.Fill(session.memories(), Known::kOwnLibraries);
  library.Settle();
  EXPECT_EQ(session.Known(identity_), nullptr);
  for (const char* path : {"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"}) {
    const uint64_t identity = IdentityOf(path);
    const wire::BookFile* const known = session.Known(identity, identity);
    ASSERT_NE(known, nullptr) << path;
    EXPECT_EQ(known->identity.Relaxed(), identity);
    EXPECT_EQ(known->learners.Relaxed(), 0u);
    for (const wire::BookSite& site : known->sites) {
      EXPECT_EQ(site.caught.Relaxed(), 0u);
      EXPECT_EQ(site.place.Relaxed() != 0, site.plan.Relaxed() != 0);
    }
    EXPECT_NE(known->sites[0].plan.Relaxed(), 0u) << path;
  }
}

// A book that grows for years says what holds now.
TEST_F(SiteLibraryTest, AveragesFollowWhatHappensLater) {
  SiteLibrary library("");
  for (int i = 0; i < 4; ++i) LearnTrueSite(library, 4000, 40000);
  for (int i = 0; i < 40; ++i) LearnTrueSite(library, 4000, 4000);
  const FakeSession session;
  library.Fill(session.memories(), Known::kAll);
  library.Settle();
  const wire::BookFile* const known = session.Known(identity_);
  ASSERT_NE(known, nullptr);
  EXPECT_LE(known->learners.Relaxed(), 8192u);
  EXPECT_LT(known->sites[0].caught.Relaxed(), 2 * known->learners.Relaxed());
}

}  // namespace
}  // namespace guise::server
