#include "server/floor/visible_program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "server/floor/policy.h"
#include "server/reactor/owned_fd.h"

namespace guise::server {
namespace {

constexpr int kMostLinks = 40;  // ABI: path_resolution(7)

// What keeps a guest from getting to what a path leads to.
struct Obstacle {
  const v1::PathRule* rule;
  std::string link;  // on the way, that is hidden; empty: it is the end that is
  std::string end;   // the path without links
};

// nullopt: nothing does, or the path leads nowhere.
std::optional<Obstacle> HidingRule(const v1::SandboxPolicy& policy, const std::string& path) {
  std::string done;  // without links
  std::vector<std::string> rest = absl::StrSplit(path, '/', absl::SkipEmpty());
  std::reverse(rest.begin(), rest.end());
  for (int links = 0; !rest.empty();) {
    const std::string name = rest.back();
    rest.pop_back();
    if (name == ".") continue;
    if (name == "..") {
      done.resize(done.empty() ? 0 : done.rfind('/'));
      continue;
    }
    const std::string next = absl::StrCat(done, "/", name);
    char text[PATH_MAX];
    const ssize_t length = readlink(next.c_str(), text, sizeof(text));
    if (length < 0) {
      if (errno != EINVAL) return std::nullopt;
      done = next;
      continue;
    }
    const v1::PathRule* const rule = RuleOf(policy, next);
    if (rule != nullptr && !IsSeen(rule->access())) return Obstacle{rule, next, ""};
    if (++links > kMostLinks) return std::nullopt;
    if (text[0] == '/') done.clear();
    std::vector<std::string> more =
        absl::StrSplit(absl::string_view(text, static_cast<size_t>(length)), '/', absl::SkipEmpty());
    rest.insert(rest.end(), more.rbegin(), more.rend());
  }
  const v1::PathRule* const rule = RuleOf(policy, done.empty() ? "/" : done);
  if (rule == nullptr || IsSeen(rule->access())) return std::nullopt;
  return Obstacle{rule, "", done};
}

// What the kernel would start a program by: of a script what its first line names, of an ELF file its interpreter.
// Empty: nothing, or it cannot be read.
std::string InterpreterOf(const std::string& program) {
  const OwnedFd file(open(program.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  char start[256] = {};  // ABI: execve(2): as much of a first line is looked at
  const ssize_t length = file ? pread(file.get(), start, sizeof(start), 0) : -1;
  if (length > 2 && start[0] == '#' && start[1] == '!') {
    const std::string line(start + 2, strnlen(start + 2, static_cast<size_t>(length) - 2));
    const std::vector<std::string> words =
        absl::StrSplit(line.substr(0, line.find('\n')), absl::ByAnyChar(" \t"), absl::SkipEmpty());
    return words.empty() || words[0][0] != '/' ? "" : words[0];
  }
  Elf64_Ehdr header;
  if (length < static_cast<ssize_t>(sizeof(header))) return "";
  memcpy(&header, start, sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return "";
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const auto offset = static_cast<off_t>(header.e_phoff + sizeof(segment) * static_cast<uint64_t>(i));
    if (pread(file.get(), &segment, sizeof(segment), offset) != static_cast<ssize_t>(sizeof(segment))) return "";
    if (segment.p_type != PT_INTERP) continue;
    if (segment.p_filesz < 2 || segment.p_filesz > PATH_MAX) return "";
    std::string name(segment.p_filesz, 0);
    const ssize_t got = pread(file.get(), name.data(), name.size(), static_cast<off_t>(segment.p_offset));
    if (got != static_cast<ssize_t>(name.size()) || name[0] != '/') return "";
    name.resize(strlen(name.c_str()));
    return name;
  }
  return "";
}

}  // namespace

absl::Status CheckVisible(const v1::SandboxPolicy& policy, const std::string& program) {
  std::string path = program;
  std::string what = "the program itself";
  // ABI: execve(2): scripts may be interpreted by scripts, this often.
  constexpr int kMostInterpreters = 5;
  for (int i = 0; i <= kMostInterpreters && !path.empty(); ++i) {
    if (const std::optional<Obstacle> obstacle = HidingRule(policy, path)) {
      const v1::PathRule& rule = *obstacle->rule;
      const std::string by = absl::StrCat(
          obstacle->link.empty() || obstacle->link == path ? "" : absl::StrCat("with the link ", obstacle->link, ", "),
          "by --", std::string(NameOf(rule.access())), " ", rule.path());
      // A rule cannot show a link: it names what that leads to.
      const std::string remedy = obstacle->link.empty()
                                     ? absl::StrCat("add --ro ", obstacle->end, " behind that, or leave it out")
                                     : "leave that out, or hide less";
      return PolicyError(rule.origin(), absl::StrCat("the policy hides ", what, ", ", path, ", ", by, "; ", remedy));
    }
    // The shim says what else is wrong with it.
    path = InterpreterOf(path);
    what = absl::StrCat("what ", program, " is interpreted by");
  }
  return absl::OkStatus();
}

}  // namespace guise::server
