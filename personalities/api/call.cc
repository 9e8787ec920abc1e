#include "personalities/api/call.h"

namespace guise::api {

std::optional<uint32_t> Call::OptionalId(size_t i) const {
  const auto id = Arg<uint32_t>(i);
  if (id == 0xffffffff) return std::nullopt;
  return id;
}

Argument Call::Forward(size_t i) {
  const std::string_view copy = port_->CopyOf(args_[i].origin);
  if (copy.data() == nullptr) return args_[i];
  Argument forwarded = Put(copy);
  forwarded.origin = args_[i].origin;
  return forwarded;
}

Argument Call::Put(std::string_view bytes) { return {Argument::Space::kOutbound, port_->PutOutbound(bytes)}; }

Call Call::With(size_t i, Argument value) const {
  Call other = *this;
  other.args_[i] = value;
  return other;
}

}  // namespace guise::api
