#include "personalities/fakeroot/places.h"

namespace guise::personalities {

using api::Argument;
using api::Call;
using api::FileStatus;
using api::Path;
using api::SysResultOr;
using api::Task;

Place NamedBy(Call& call, const PathUse& naming, int flags) {
  return {StartOf(call, naming), call.Forward(naming.at), flags};
}

Place EntryBy(Call& call, const PathUse& naming) {
  const std::string_view path = WithoutSlashes(call.Arg<Path>(naming.at).text);
  return {StartOf(call, naming), call.Put(path), AT_SYMLINK_NOFOLLOW};
}

std::string_view WithoutSlashes(std::string_view path) { return path.substr(0, path.find_last_not_of('/') + 1); }

Place ParentOf(Call& call, Argument start, std::string_view path) {
  const size_t name = WithoutSlashes(path).rfind('/') + 1;
  if (name == 0) return {start, call.Put(""), AT_EMPTY_PATH};
  return {start, call.Put(path.substr(0, name)), 0};
}

Place ParentBy(Call& call, const PathUse& naming) {
  return ParentOf(call, StartOf(call, naming), call.Arg<Path>(naming.at).text);
}

Task<SysResultOr<FileStatus>> StatusOf(Call& call, Place place) {
  const SysResultOr<FileStatus> status = co_await StatusOf(call, place.start, place.path, place.flags);
  co_return status;
}

}  // namespace guise::personalities
