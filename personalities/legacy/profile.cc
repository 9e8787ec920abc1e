#include "personalities/legacy/profile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/text/text_proto.h"

namespace guise::personalities {

namespace {

constexpr size_t kLongest = 63;  // ABI: uname(2) has 65 bytes a field
constexpr off_t kLargestFile = off_t{64} << 10;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kKernelHalf = uint64_t{1} << 63;

using Release = std::array<int, 3>;

// Older kernels had no x86_64 programs.
constexpr Release kOldest = {2, 4, 0};
// ABI: KERNEL_VERSION() of <linux/version.h> has a byte for each of the first two; kernels have gone beyond that in the
// third.
constexpr Release kGreatest = {255, 255, 999};

// nullopt: not as kernels call themselves, which programs take apart: three numbers with dots between, and then perhaps
// what a distribution adds, without spaces: 2.6.32-754.35.1.el6.x86_64.
std::optional<Release> ReleaseOf(std::string_view text) {
  Release release = {};
  for (size_t i = 0; i < release.size(); ++i) {
    size_t digits = 0;
    for (; digits < text.size() && digits < 4 && std::isdigit(static_cast<unsigned char>(text[digits])) != 0;
         ++digits) {
      release[i] = release[i] * 10 + (text[digits] - '0');
    }
    if (digits == 0 || (digits > 1 && text[0] == '0') || release[i] > kGreatest[i]) return std::nullopt;
    text.remove_prefix(digits);
    if (i + 1 == release.size()) break;
    if (text.empty() || text[0] != '.') return std::nullopt;
    text.remove_prefix(1);
  }
  if (text.empty()) return release;
  constexpr std::string_view kBegins = "-+.~_";
  if (text.size() == 1 ? text != "+" : kBegins.find(text[0]) == std::string_view::npos) return std::nullopt;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && kBegins.find(c) == std::string_view::npos) {
      return std::nullopt;
    }
  }
  return release;
}

// What is wrong with a field.
struct Wrong {
  const char* field;
  std::string what;
};

std::optional<Wrong> WrongWithText(const char* field, const std::string& text) {
  if (text.size() > kLongest) {
    return Wrong{
        field, absl::StrCat("\"", text, "\" is longer than the ", kLongest, " bytes that uname(2) tells; shorten it")};
  }
  for (const char c : text) {
    if (c < ' ' || c > '~') return Wrong{field, absl::StrCat(field, " is printable ASCII; leave other characters out")};
  }
  return std::nullopt;
}

std::optional<Wrong> WrongWithRelease(const std::string& text) {
  const std::optional<Release> release = ReleaseOf(text);
  const std::string what = absl::StrCat("release \"", text, "\" ");
  if (!release.has_value()) {
    return Wrong{"release", absl::StrCat(what,
                                         "is none that programs could read; say three numbers and perhaps a suffix "
                                         "without spaces, as in 2.6.32 or 2.6.32-754.el6.x86_64")};
  }
  if (*release < kOldest) {
    return Wrong{"release", absl::StrCat(what, "is older than x86_64 programs are; name 2.4.0 or a later one")};
  }
  utsname host = {};
  uname(&host);
  if (*release > ReleaseOf(host.release).value_or(*release)) {
    return Wrong{"release", absl::StrCat(what, "is newer than the host's ", host.release,
                                         ", which has not what it promises; name an older one")};
  }
  return std::nullopt;
}

std::optional<Wrong> WrongWith(const v1::LegacyProfile& profile) {
  if (std::optional<Wrong> wrong = WrongWithText("release", profile.release())) return wrong;
  if (std::optional<Wrong> wrong = WrongWithText("version", profile.version())) return wrong;
  if (profile.release().empty() != profile.version().empty()) {
    return Wrong{profile.release().empty() ? "version" : "release",
                 "release and version go together; give both, or none for the host's"};
  }
  if (!profile.release().empty()) {
    if (std::optional<Wrong> wrong = WrongWithRelease(profile.release())) return wrong;
  }
  const uint64_t page = profile.vsyscall_page();
  if (page != 0 && (page % kPage != 0 || page < kKernelHalf)) {
    return Wrong{"vsyscall_page", absl::StrCat("vsyscall_page 0x", absl::Hex(page),
                                               " is no page of the kernel's half; Linux has it at 0xffffffffff600000")};
  }
  return std::nullopt;
}

// The text of a profile's file. INVALID_ARGUMENT.
absl::StatusOr<std::string> ReadProfile(const std::string& path) {
  const auto bad = [&](const std::string& what) { return absl::InvalidArgumentError(absl::StrCat(path, " ", what)); };
  // A pipe is not waited for.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    const int error = errno;
    return bad(absl::StrCat("cannot be read: ", strerror(error),
                            error == EACCES ? "; the server reads profiles as its own user: let that one read it"
                                            : "; name a file that is there"));
  }
  std::string text;
  struct stat status;
  ssize_t length = -1;
  const bool is_file = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  if (is_file && status.st_size <= kLargestFile) {
    text.resize(kLargestFile);
    length = pread(file, text.data(), text.size(), 0);
  }
  close(file);
  if (!is_file) return bad(S_ISDIR(status.st_mode) ? "is a directory; name a file in it" : "is no file; name one");
  if (status.st_size > kLargestFile) return bad(absl::StrCat("has more than ", kLargestFile, " bytes; name a profile"));
  if (length < 0) return bad("cannot be read; name another file");
  if (length == 0) return bad("is empty; write a guise.v1.LegacyProfile there, or say legacy:modern for the host's");
  text.resize(static_cast<size_t>(length));
  return text;
}

}  // namespace

absl::StatusOr<v1::LegacyProfile> ParseProfile(std::string_view text, const std::string& source) {
  v1::LegacyProfile profile;
  FieldLines lines;
  if (absl::Status status = ParseTextProto(text, source, &profile, &lines); !status.ok()) return status;
  const std::optional<Wrong> wrong = WrongWith(profile);
  if (!wrong.has_value()) return profile;
  return absl::InvalidArgumentError(absl::StrCat(source, ", line ", lines.Of(wrong->field), ": ", wrong->what));
}

absl::StatusOr<v1::LegacyProfile> FindProfile(std::string_view argument) {
  std::vector<std::string> names;
  for (const NamedProfile& profile : BuiltInProfiles()) {
    if (profile.name == argument) return ParseProfile(profile.text, absl::StrCat("profile ", std::string(argument)));
    names.emplace_back(profile.name);
  }
  const std::string known =
      absl::StrCat("; profiles are ", absl::StrJoin(names, ", "), ", or a file's path, which begins with / or ./");
  if (argument.empty()) return absl::InvalidArgumentError(absl::StrCat("which kernel? Say legacy:", names[0], known));
  const std::string path(argument);
  if (path[0] != '/') return absl::InvalidArgumentError(absl::StrCat("there is no profile '", path, "'", known));
  const absl::StatusOr<std::string> text = ReadProfile(path);
  if (!text.ok()) return text.status();
  return ParseProfile(*text, path);
}

}  // namespace guise::personalities
