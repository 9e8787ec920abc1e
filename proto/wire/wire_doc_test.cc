// docs/WIRE.md says what the headers say: each struct's table has all of its fields at their offsets, and each constant
// that a table names has its value.
//
// A struct's table follows a heading that begins "### `Name`, N bytes"; its rows begin "| offset | size | `field` |".
// A constant's row begins "| `kName` | value |", the value decimal, hexadecimal or "N KiB", "N MiB".
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

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

uint64_t Number(const std::string& digits, const std::string& unit) {
  const uint64_t number = std::stoull(digits, nullptr, 0);
  if (unit == "KiB") return number << 10;
  return unit == "MiB" ? number << 20 : number;
}

Document Read() {
  static const std::regex heading("^### `([A-Za-z]+)`, ([0-9]+) bytes.*");
  static const std::regex row(R"(^\| ([0-9]+) \| ([0-9]+) \| `([a-z0-9_.]+)` \|.*)");
  static const std::regex constant(R"(^\| `([A-Za-z:]+)` \| (0x[0-9a-f]+|[0-9]+)( ([KM]iB))? \|.*)");
  Document document;
  std::ifstream file("docs/WIRE.md");
  EXPECT_TRUE(file.is_open());
  std::string type;
  std::string line;
  std::smatch match;
  while (std::getline(file, line)) {
    if (std::regex_match(line, match, heading)) {
      type = match[1];
      EXPECT_EQ(document.sizes.count(type), 0u) << type << " is described twice";
      document.sizes[type] = std::stoull(match[2]);
    } else if (!line.empty() && line.front() == '#') {
      type.clear();
    } else if (std::regex_match(line, match, row)) {
      EXPECT_NE(type, "") << "a row of offsets outside a struct: " << line;
      document.rows[type].push_back({std::stoull(match[1]), std::stoull(match[2]), match[3]});
    } else if (std::regex_match(line, match, constant)) {
      const std::string name = match[1];
      EXPECT_EQ(document.constants.count(name), 0u) << name << " is given twice";
      document.constants[name] = Number(match[2], match[4]);
    } else {
      EXPECT_FALSE(line.rfind("| `k", 0) == 0) << "not read as a constant: " << line;
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
