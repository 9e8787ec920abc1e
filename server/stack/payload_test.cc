#include "server/stack/payload.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "personalities/api/argument.h"
#include "proto/wire/layout.h"
#include "proto/wire/slot.h"

namespace guise::server {
namespace {

using api::Argument;

constexpr size_t kRoom = wire::kPayloadSize - wire::kRunAreaOffset;

TEST(PayloadTest, StringsLieOneBehindTheOtherEachWithItsEnd) {
  std::vector<char> outbound(64, 'x');
  Payload payload(absl::MakeSpan(outbound));
  EXPECT_EQ(payload.Put("abc"), 0u);
  EXPECT_EQ(payload.Put("12345678"), 8u);
  EXPECT_EQ(payload.Put(""), 24u);
  EXPECT_STREQ(outbound.data(), "abc");
  EXPECT_STREQ(outbound.data() + 8, "12345678");
  EXPECT_STREQ(outbound.data() + 24, "");
}

TEST(PayloadTest, WhatHasNoRoomIsNotPutAndOthersStillAre) {
  std::vector<char> outbound(16);
  Payload payload(absl::MakeSpan(outbound));
  EXPECT_EQ(payload.Put("sixteen letters.."), Argument::kNoOffset);
  EXPECT_EQ(payload.Put("fifteen letters"), 0u);
  EXPECT_EQ(payload.Put(""), Argument::kNoOffset);
  EXPECT_EQ(Payload().Put(""), Argument::kNoOffset);
}

TEST(PayloadTest, RoomIsReservedUntilTheRunAreaIsFull) {
  Payload payload;
  EXPECT_EQ(payload.Reserve(3), wire::kRunAreaOffset);
  EXPECT_EQ(payload.Reserve(kRoom - 8), wire::kRunAreaOffset + 8);
  EXPECT_EQ(payload.run_area_used(), kRoom);
  EXPECT_EQ(payload.Reserve(1), Argument::kNoOffset);
  EXPECT_EQ(payload.run_area_used(), kRoom);
}

TEST(PayloadTest, WhatTheGuestHasNotLeftReadsAsZeros) {
  Payload payload;
  const auto offset = static_cast<uint32_t>(wire::kRunAreaOffset);
  const auto read = [&payload](uint32_t at, size_t bytes) {
    std::string text(bytes, 'x');
    payload.Read(at, text.data(), bytes);
    return text;
  };
  EXPECT_EQ(read(offset, 2), std::string(2, '\0')) << "before the first native call";
  payload.TakeRunArea({"abcd", 4});
  EXPECT_EQ(read(offset + 1, 3), "bcd");
  EXPECT_EQ(read(offset + 1, 4), std::string(4, '\0')) << "not the part that is there";
  EXPECT_EQ(read(offset - 1, 1), std::string(1, '\0'));
  EXPECT_EQ(read(Argument::kNoOffset, 1), std::string(1, '\0'));
}

}  // namespace
}  // namespace guise::server
