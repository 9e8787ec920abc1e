// Call sites of the test program's own, and what else tests of the site book start from.
#ifndef GUISE_SERVER_SITES_KNOWN_SITES_H_
#define GUISE_SERVER_SITES_KNOWN_SITES_H_

#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>

#include <cstdint>
#include <string>

#include "server/sites/sites.pb.h"

// A call's site, bytes that look like one in the middle of an instruction, and a site around which nothing can take a
// jump. Each function makes its call, or what looks like one, and returns what it says.
extern "C" long TrueSite();
extern "C" long FalseSite();
extern "C" long LoneSite();
extern "C" const char true_site[], false_site[], lone_site[];

namespace guise::server {

struct Place {
  std::string path;
  uint64_t offset;
  uint64_t text;
};
// Where this program's own code lies in its file, and the first eight bytes there.
Place PlaceOf(const char* address);

// The wire::BookIdentity of what is at `path`, links followed.
uint64_t IdentityOf(const std::string& path);

std::string Contents(const std::string& path);
void Write(const std::string& path, const std::string& contents);

// What a server writes that has learned one site of one file from eight processes.
sites::Library OneFile(const Place& site);

// With a directory that goes when the test ends.
class SitesTest : public testing::Test {
 protected:
  SitesTest() {
    char name[] = "/tmp/sites_test.XXXXXX";
    directory_ = mkdtemp(name);
  }
  void TearDown() override {
    for (const char* file : {"/book/sites", "/book", "/elf", "/elf\xff", ""}) remove((directory_ + file).c_str());
  }

  std::string directory_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_SITES_KNOWN_SITES_H_
