// For tests: a runtime directory that goes with its object.
#ifndef GUISE_SERVER_CONTROL_TEMPORARY_DIRECTORY_H_
#define GUISE_SERVER_CONTROL_TEMPORARY_DIRECTORY_H_

#include <stdlib.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "server/launch/runtime_directory.h"

namespace guise::server {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/guise-control-XXXXXX";
    if (mkdtemp(name) == nullptr) abort();
    path_ = name;
  }
  ~TemporaryDirectory() {
    if (system(absl::StrCat("rm -rf '", path_, "'").c_str()) != 0) abort();
  }
  RuntimeDirectory Open() const { return *RuntimeDirectory::Open(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CONTROL_TEMPORARY_DIRECTORY_H_
