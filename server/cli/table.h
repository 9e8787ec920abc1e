// Columns for people.
#ifndef GUISE_SERVER_CLI_TABLE_H_
#define GUISE_SERVER_CLI_TABLE_H_

#include <string>
#include <utility>
#include <vector>

namespace guise::server {

// Left-aligned columns with two spaces between; the last is as long as it is. Cells are made printable.
class Table {
 public:
  explicit Table(std::vector<std::string> heads) { rows_.push_back(std::move(heads)); }
  // REQUIRES: as many cells as heads.
  void Add(const std::vector<std::string>& cells);
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace guise::server

#endif  // GUISE_SERVER_CLI_TABLE_H_
