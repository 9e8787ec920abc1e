// Steps of putting a sandbox's file system together. All of it is async-signal-safe; on failure errno says why.
#ifndef GUISE_SERVER_FLOOR_MOUNTS_H_
#define GUISE_SERVER_FLOOR_MOUNTS_H_

#include <cstdint>
#include <string>

namespace guise::server {

// The mounts at a path of which no part is a link: one that was put there since the path was looked up is an error. A
// descriptor of their clone, or -1.
int CloneTree(const char* path);

// mount_setattr(2): sets MOUNT_ATTR_* flags.
bool SetAttributes(int tree, const char* path, unsigned flags, uint64_t set);

// Puts the tree at `target`, and closes it.
bool Attach(int tree, const char* target);

// A directory or file at `path`, and the directories on the way to it. Where there is one already, nothing.
bool MakePlace(const std::string& path, bool is_directory);

}  // namespace guise::server

#endif  // GUISE_SERVER_FLOOR_MOUNTS_H_
