// SysResult: what a syscall answers, a value or a negated errno in one word, as the kernel returns it.
#ifndef GUISE_PERSONALITIES_API_RESULT_H_
#define GUISE_PERSONALITIES_API_RESULT_H_

#include <cstdint>

namespace guise::api {

class SysResult {
 public:
  // 0.
  constexpr SysResult() = default;
  static constexpr SysResult Ok(uint64_t value = 0) { return SysResult(value); }
  // REQUIRES: 1 <= error <= 4095.
  static constexpr SysResult Error(int error) { return SysResult(static_cast<uint64_t>(-int64_t{error})); }
  // As it came in rax.
  static constexpr SysResult FromRaw(uint64_t raw) { return SysResult(raw); }

  // ABI: include/linux/err.h, IS_ERR_VALUE().
  constexpr bool ok() const { return raw_ < static_cast<uint64_t>(-4095); }
  // The errno; 0 when ok.
  constexpr int error() const { return ok() ? 0 : static_cast<int>(-static_cast<int64_t>(raw_)); }
  constexpr bool Is(int error) const { return raw_ == static_cast<uint64_t>(-int64_t{error}); }
  // REQUIRES: ok().
  constexpr uint64_t value() const { return raw_; }
  constexpr uint64_t raw() const { return raw_; }

  friend constexpr bool operator==(SysResult a, SysResult b) = default;

 private:
  explicit constexpr SysResult(uint64_t raw) : raw_(raw) {}
  uint64_t raw_ = 0;
};

// A T, or why there is none. T is default-constructible and cheap.
template <typename T>
class SysResultOr {
 public:
  constexpr SysResultOr() = default;
  // REQUIRES: !failure.ok().
  constexpr SysResultOr(SysResult failure) : failure_(failure) {}  // NOLINT: as absl::StatusOr
  constexpr SysResultOr(const T& value) : value_(value) {}         // NOLINT: as absl::StatusOr

  constexpr bool ok() const { return failure_.ok(); }
  // REQUIRES: !ok().
  constexpr SysResult failure() const { return failure_; }
  // REQUIRES: ok().
  constexpr const T& value() const { return value_; }
  constexpr const T* operator->() const { return &value_; }

 private:
  SysResult failure_;
  T value_ = {};
};

}  // namespace guise::api

#endif  // GUISE_PERSONALITIES_API_RESULT_H_
