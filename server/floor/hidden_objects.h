// What a sandbox puts over the files that it hides: an empty file and an empty directory, which nobody can open, on a
// file system of their own. What lies below the directory is not there; the two themselves are, unless a shim shows
// them as absent, which it can by what is noted in wire::Hiding.
//
// All of it is async-signal-safe.
#ifndef GUISE_SERVER_FLOOR_HIDDEN_OBJECTS_H_
#define GUISE_SERVER_FLOOR_HIDDEN_OBJECTS_H_

#include <sys/types.h>

#include "proto/wire/published.h"

namespace guise::server {

class HiddenObjects {
 public:
  // `hiding`: of the session; null: nobody is told.
  explicit HiddenObjects(wire::Hiding* hiding) : hiding_(hiding) {}
  ~HiddenObjects();
  HiddenObjects(const HiddenObjects&) = delete;
  HiddenObjects& operator=(const HiddenObjects&) = delete;

  // Makes them, on a mount at `place` that is to be covered: before Linux 6.15 open_tree(2) clones nothing of a mount
  // that is nowhere. False: errno. REQUIRES: before Cover().
  bool Make(const char* place);
  // Puts one over what is at `path`. `listed_as`: the inode number by which its directory lists it, where that may be
  // another than its own, as of mount points; or 0. False: errno.
  bool Cover(const char* path, bool is_directory, ino_t listed_as) const;

 private:
  void Note(ino_t ino) const;
  void NoteName(const char* path) const;

  wire::Hiding* const hiding_;
  int mount_ = -1;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_HIDDEN_OBJECTS_H_
