#include "proto/wire/version.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace guise::wire {
namespace {

std::string Text(uint64_t magic) {
  char text[sizeof magic];
  std::memcpy(text, &magic, sizeof magic);
  return std::string(text, sizeof text);
}

TEST(VersionTest, MagicsReadAsText) {
  EXPECT_EQ(Text(kRequestMagic), "GUISEREQ");
  EXPECT_EQ(Text(kReplyMagic), "GUISEREP");
  EXPECT_EQ(Text(kStoreMagic), "GUISESTO");
}

TEST(VersionTest, OwnRangeIsOneAndAgreesWithItself) {
  EXPECT_LE(kAbiMin, kAbiMax);
  EXPECT_GT(kAbiMin, 0) << "0 says that two sides do not agree";
  EXPECT_EQ(Agree({kAbiMin, kAbiMax}, {kAbiMin, kAbiMax}), kAbiMax);
}

TEST(VersionTest, AgreesOnTheHighestThatBothSpeak) {
  EXPECT_EQ(Agree({1, 3}, {2, 5}), 3);
  EXPECT_EQ(Agree({2, 5}, {1, 3}), 3);
  EXPECT_EQ(Agree({1, 9}, {4, 4}), 4);
  EXPECT_EQ(Agree({1, 2}, {2, 3}), 2);
  EXPECT_EQ(Agree({1, UINT16_MAX}, {UINT16_MAX, UINT16_MAX}), UINT16_MAX);
}

TEST(VersionTest, RangesApartDoNotAgree) {
  EXPECT_EQ(Agree({1, 2}, {3, 4}), 0);
  EXPECT_EQ(Agree({3, 4}, {1, 2}), 0);
  EXPECT_EQ(Agree({2, 1}, {1, 2}), 0) << "an empty range agrees with nobody";
}

TEST(VersionTest, FeaturesAreSingleBitsAndApart) {
  uint64_t all = 0;
  for (const uint64_t feature : {uint64_t{kFeatureTail}, uint64_t{kFeatureFold}, uint64_t{kFeatureOverlay},
                                 uint64_t{kFeatureBirthTime}, uint64_t{kFeatureInterrupted}}) {
    EXPECT_NE(feature, 0u);
    EXPECT_EQ(feature & (feature - 1), 0u);
    EXPECT_EQ(all & feature, 0u);
    all |= feature;
  }
}

}  // namespace
}  // namespace guise::wire
