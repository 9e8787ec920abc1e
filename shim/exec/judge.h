// What execve(2) finds out before it lets go of the old program: may this file be run, by which interpreter, and if
// not, with which error.
#ifndef GUISE_SHIM_EXEC_JUDGE_H_
#define GUISE_SHIM_EXEC_JUDGE_H_

#include <stdint.h>

namespace guise::shim {

// ABI: fs/exec.c, exec_binprm(): five interpreters deep, then ELOOP.
inline constexpr uint32_t kMaxScripts = 5;
inline constexpr uint32_t kHeadSize = 256;  // BINPRM_BUF_SIZE

struct Judged {
  int64_t error;    // 0 or -errno, as execve's
  const char* why;  // for people; a constant string, or null
  int32_t fd;       // of the ELF file to load, close-on-exec; -1 when it cannot be loaded
  // Not null: a good program that cannot run inside, and why. `error` is then what refuses it.
  const char* unshimmed;
  uint32_t scripts;
  // For scripts: what comes before argv[1]: interpreter, its argument, the script, ...
  uint32_t words;
  const char* word[2 * kMaxScripts + 1];
  char heads[kMaxScripts + 1][kHeadSize + 1];  // what the words point into; the last, of what is one too many
};

struct Candidate {
  int32_t dir_fd;
  const char* path;
  uint32_t flags;     // as execveat's: AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW
  const char* shown;  // the path by which a script is handed to its interpreter; must outlive the answer
  bool closes;        // `shown` names an fd that the exec closes. ABI: BINPRM_FLAGS_PATH_INACCESSIBLE
  // Whether a file that cannot be opened is not to be there: of the program, and of each interpreter.
  bool (*is_absent)(int32_t dir_fd, const char* path, bool follows) = nullptr;
  bool landlocked = false;  // as ProcessState's
};

// Opens and judges. The fd is open when `error` is 0.
void Judge(const Candidate& candidate, Judged* judged);

}  // namespace guise::shim

#endif  // GUISE_SHIM_EXEC_JUDGE_H_
