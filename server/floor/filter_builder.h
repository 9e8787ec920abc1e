// seccomp filters, made by libseccomp.
#ifndef GUISE_SERVER_FLOOR_FILTER_BUILDER_H_
#define GUISE_SERVER_FLOOR_FILTER_BUILDER_H_

#include <linux/filter.h>
#include <seccomp.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/syscall/table.h"

namespace guise::server {

// Lets everything through but what rules say. The first thing that goes wrong is kept for Program(). Not thread-safe.
class FilterBuilder {
 public:
  // `purpose`: for errors.
  explicit FilterBuilder(std::string purpose);
  ~FilterBuilder();
  FilterBuilder(const FilterBuilder&) = delete;
  FilterBuilder& operator=(const FilterBuilder&) = delete;

  // `action`: SCMP_ACT_ERRNO(...).
  void ForeignCalls(uint32_t action);
  void Rule(uint32_t action, syscall::Nr nr, const std::vector<scmp_arg_cmp>& arguments = {});

  // RESOURCE_EXHAUSTED, INTERNAL.
  absl::StatusOr<std::vector<sock_filter>> Program() const;

 private:
  const std::string purpose_;
  void* const filter_;  // a scmp_filter_ctx
  int error_ = 0;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_FILTER_BUILDER_H_
