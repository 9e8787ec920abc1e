// docs/WIRE.md says what the headers say: each struct's table has all of its fields at their offsets, and each constant
// that a table names has its value.
//
// A struct's table follows a heading that begins "### `Name`, N bytes"; its rows begin "| offset | size | `field` |".
// A constant's row begins "| `kName` | value |", the value decimal, hexadecimal or "N KiB", "N MiB".
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "proto/wire/layout_constants.h"
#include "proto/wire/layout_fields.h"

namespace guise::wire {
namespace {

struct Row {
  uint64_t offset;
  uint64_t size;
  std::string field;
};

struct Document {
  std::map<std::string, uint64_t> sizes;
  std::map<std::string, std::vector<Row>> rows;
  std::map<std::string, uint64_t> constants;
};

// The cells of a table's row, without blanks around them; empty when the line is none.
std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells;
  if (line.empty() || line.front() != '|') return cells;
  std::istringstream rest(line.substr(1));
  std::string cell;
  while (std::getline(rest, cell, '|')) {
    const size_t from = cell.find_first_not_of(' ');
    const size_t to = cell.find_last_not_of(' ');
    cells.push_back(from == std::string::npos ? "" : cell.substr(from, to - from + 1));
  }
  return cells;
}

// The text between backquotes, when that is all there is.
std::optional<std::string> Quoted(const std::string& cell) {
  if (cell.size() < 3 || cell.front() != '`' || cell.find('`', 1) != cell.size() - 1) return std::nullopt;
  return cell.substr(1, cell.size() - 2);
}

// Decimal, hexadecimal, or with a unit.
std::optional<uint64_t> Number(const std::string& cell) {
  if (cell.empty() || cell.front() < '0' || cell.front() > '9') return std::nullopt;
  size_t end = 0;
  const uint64_t number = std::stoull(cell, &end, 0);
  const std::string unit = cell.substr(end);
  if (unit.empty()) return number;
  if (unit == " KiB") return number << 10;
  if (unit == " MiB") return number << 20;
  return std::nullopt;
}

void ReadHeading(const std::string& line, std::string* type, Document* document) {
  type->clear();
  std::istringstream words(line);
  std::string marks;
  std::string name;
  uint64_t size = 0;
  std::string unit;
  if (!(words >> marks >> name >> size >> unit) || unit != "bytes" || name.back() != ',') return;
  name.pop_back();
  *type = Quoted(name).value_or("");
  EXPECT_EQ(document->sizes.count(*type), 0u) << *type << " is described twice";
  document->sizes[*type] = size;
}

Document Read() {
  Document document;
  std::ifstream file("docs/WIRE.md");
  EXPECT_TRUE(file.is_open());
  std::string type;
  std::string line;
  while (std::getline(file, line)) {
    if (!line.empty() && line.front() == '#') ReadHeading(line, &type, &document);
    const std::vector<std::string> cells = Cells(line);
    if (cells.size() < 3) continue;
    const std::optional<uint64_t> offset = Number(cells[0]);
    const std::optional<std::string> field = Quoted(cells[2]);
    const std::optional<std::string> constant = Quoted(cells[0]);
    if (offset.has_value() && field.has_value()) {
      EXPECT_NE(type, "") << "a row of offsets outside a struct: " << line;
      document.rows[type].push_back({*offset, Number(cells[1]).value_or(0), *field});
    } else if (constant.has_value() && Number(cells[1]).has_value()) {
      EXPECT_EQ(document.constants.count(*constant), 0u) << *constant << " is given twice";
      document.constants[*constant] = *Number(cells[1]);
    }
  }
  return document;
}

TEST(WireDocTest, EveryStructIsThereWithItsSize) {
  const Document document = Read();
  std::set<std::string> known;
  for (const LayoutStruct& type : kLayoutStructs) {
    known.insert(type.name);
    const auto it = document.sizes.find(type.name);
    ASSERT_NE(it, document.sizes.end()) << type.name << " is not described";
    EXPECT_EQ(it->second, type.size) << type.name;
  }
  for (const auto& [name, size] : document.sizes)
    EXPECT_EQ(known.count(name), 1u) << name << " is no struct of the wire";
}

TEST(WireDocTest, EveryFieldIsAtItsOffset) {
  Document document = Read();
  std::map<std::string, size_t> next;
  for (const LayoutField& field : kLayoutFields) {
    const std::vector<Row>& rows = document.rows[field.of];
    const size_t i = next[field.of]++;
    ASSERT_LT(i, rows.size()) << field.of << " lacks " << field.name;
    EXPECT_EQ(rows[i].field, field.name) << field.of;
    EXPECT_EQ(rows[i].offset, field.offset) << field.of << "." << field.name;
    EXPECT_EQ(rows[i].size, field.size) << field.of << "." << field.name;
  }
  for (const auto& [type, rows] : document.rows) EXPECT_EQ(rows.size(), next[type]) << type << " has rows too many";
}

TEST(WireDocTest, EveryConstantIsThereWithItsValue) {
  Document document = Read();
  for (const LayoutConstant& constant : kLayoutConstants) {
    const auto it = document.constants.find(constant.name);
    ASSERT_NE(it, document.constants.end()) << constant.name << " is not given";
    EXPECT_EQ(it->second, constant.value) << constant.name;
    document.constants.erase(it);
  }
  for (const auto& [name, value] : document.constants) ADD_FAILURE() << name << " is no constant of the wire";
}

}  // namespace
}  // namespace guise::wire
