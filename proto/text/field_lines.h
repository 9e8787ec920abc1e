// Where a text writes the fields of its message.
#ifndef GUISE_PROTO_TEXT_FIELD_LINES_H_
#define GUISE_PROTO_TEXT_FIELD_LINES_H_

#include <map>
#include <string>

namespace guise {

class FieldLines {
 public:
  // `field`: "release", "paths[2].access".
  void Set(const std::string& field, int line) { lines_[field] = line; }
  void Forget(const std::string& field) { lines_.erase(field); }
  // From 1 on; 0: the text does not write it.
  int Of(const std::string& field) const {
    const auto found = lines_.find(field);
    return found == lines_.end() ? 0 : found->second;
  }

 private:
  std::map<std::string, int> lines_;
};

}  // namespace guise

#endif  // GUISE_PROTO_TEXT_FIELD_LINES_H_
