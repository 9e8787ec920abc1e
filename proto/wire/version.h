// Version and feature words of the data plane. Every memory starts with them, and each side refuses what it does not
// speak: a shim and a server agree when their [min, max] ranges overlap, and use the features that both name.
#ifndef GUISE_PROTO_WIRE_VERSION_H_
#define GUISE_PROTO_WIRE_VERSION_H_

#include <stdint.h>

namespace guise::wire {

inline constexpr uint16_t kAbiMin = 5;
inline constexpr uint16_t kAbiMax = 5;

// "GUISEREQ", "GUISEREP", "GUISESTO" read as little-endian words.
inline constexpr uint64_t kRequestMagic = 0x5145524553495547;
inline constexpr uint64_t kReplyMagic = 0x5045524553495547;
inline constexpr uint64_t kStoreMagic = 0x4f54534553495547;

// Feature bits; a set bit promises the behaviour named.
enum Feature : uint64_t {
  kFeatureTail = 1u << 0,         // the shim obeys Verb::kTail
  kFeatureFold = 1u << 1,         // the shim applies the fold table
  kFeatureOverlay = 1u << 2,      // the shim applies inode overlays
  kFeatureBirthTime = 1u << 3,    // overlay keys carry birth times
  kFeatureInterrupted = 1u << 4,  // SlotState::kInterrupted is understood
  kFeatureDirect = 1u << 5,       // the direct table is published
};

// Those of this version.
inline constexpr uint64_t kFeatures =
    kFeatureTail | kFeatureFold | kFeatureOverlay | kFeatureBirthTime | kFeatureInterrupted | kFeatureDirect;

struct AbiRange {
  uint16_t min;
  uint16_t max;
};

// The highest version that both ranges hold, or 0 when they do not overlap.
constexpr uint16_t Agree(AbiRange a, AbiRange b) {
  const uint16_t low = a.min > b.min ? a.min : b.min;
  const uint16_t high = a.max < b.max ? a.max : b.max;
  return low <= high ? high : uint16_t{0};
}

}  // namespace guise::wire

#endif  // GUISE_PROTO_WIRE_VERSION_H_
