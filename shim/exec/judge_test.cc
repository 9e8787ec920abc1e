#include "shim/exec/judge.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

namespace guise::shim {
namespace {

// The kernel is the oracle: each file is judged, and then exec'ed by a child that passes the errno on.
class JudgeTest : public testing::Test {
 protected:
  JudgeTest() {
    char name[] = "/tmp/guise-judge-XXXXXX";
    directory_ = mkdtemp(name);
  }
  void TearDown() override {
    for (const std::string& file : files_) unlink(file.c_str());
    rmdir(directory_.c_str());
  }

  std::string Make(const std::string& name, const std::string& bytes, mode_t mode = 0755) {
    std::string path = directory_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    chmod(path.c_str(), mode);
    files_.push_back(path);
    return path;
  }

  // 0: it ran.
  static int NativeErrno(const std::string& path) {
    const pid_t child = fork();
    if (child == 0) {
      const int null = open("/dev/null", O_RDWR);
      dup2(null, 0);
      dup2(null, 1);
      dup2(null, 2);
      execl(path.c_str(), path.c_str(), nullptr);
      _exit(errno);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  }

  static int JudgedErrno(const std::string& path) {
    Judged judged;
    Judge({AT_FDCWD, path.c_str(), 0, path.c_str(), false}, &judged);
    if (judged.error == 0) close(judged.fd);
    return static_cast<int>(-judged.error);
  }

  // What the kernel hands to the interpreter: argv of a script that runs /bin/echo, word by word from a child.
  static std::vector<std::string> Words(const std::string& path) {
    Judged judged;
    Judge({AT_FDCWD, path.c_str(), 0, path.c_str(), false}, &judged);
    if (judged.error != 0) return {};
    close(judged.fd);
    return {judged.word, judged.word + judged.words};
  }

  static std::string Output(const std::string& path) {
    int ends[2];
    if (pipe(ends) != 0) return {};
    const pid_t child = fork();
    if (child == 0) {
      dup2(ends[1], 1);
      execl(path.c_str(), path.c_str(), nullptr);
      _exit(1);
    }
    close(ends[1]);
    std::string output;
    char buffer[512];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof(buffer))) > 0;) output.append(buffer, static_cast<size_t>(n));
    close(ends[0]);
    waitpid(child, nullptr, 0);
    return output;
  }

  std::string directory_;
  std::vector<std::string> files_;
};

TEST_F(JudgeTest, ErrorsAreTheKernels) {
  const std::string self = "/proc/self/exe";
  std::string elf;
  {
    std::ifstream file("/bin/true", std::ios::binary);
    elf.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::string foreign = elf;
  foreign[18] = 0x28;
  const std::string long_name(300, 'x');
  const std::vector<std::string> paths = {
      "/bin/true",
      "/nonexistent/file",
      "/etc",
      "/etc/passwd/x",
      "/dev/null",
      "/tmp/" + long_name,
      Make("not_executable", elf, 0644),
      Make("text", "hello\n"),
      Make("empty", ""),
      Make("foreign", foreign),
      Make("script", "#!/bin/true\n"),
      Make("no_interpreter", "#!/nonexistent/interpreter\n"),
      Make("directory_interpreter", "#!/etc\n"),
      Make("blank", "#!   \n"),
      Make("nothing", "#!"),
      Make("no_newline", "#!/bin/true"),
      Make("cut_name", "#!/" + std::string(300, 'a') + "\n"),
      Make("long_argument", "#!/bin/true " + std::string(300, 'a') + "\n"),
  };
  for (const std::string& path : paths) EXPECT_EQ(JudgedErrno(path), NativeErrno(path)) << path;
}

TEST_F(JudgeTest, ChainsOfScriptsEndWhereTheKernelEndsThem) {
  std::string interpreter = "/bin/true";
  for (int depth = 1; depth <= 7; ++depth) {
    std::string line = "#!";
    line.append(interpreter).append("\n");
    interpreter = Make("chain" + std::to_string(depth), line);
    EXPECT_EQ(JudgedErrno(interpreter), NativeErrno(interpreter)) << depth;
  }
}

TEST_F(JudgeTest, AnInterpreterGetsTheWordsThatTheKernelGives) {
  for (const char* line :
       {"#!/bin/echo\n", "#! /bin/echo  one\n", "#!/bin/echo\tone two  \n", "#!/bin/echo -n", "#!/bin/echo a\0b\n"}) {
    const std::string script = Make("words", line);
    std::string expected;
    const std::vector<std::string> words = Words(script);
    ASSERT_FALSE(words.empty()) << line;
    // echo prints all but its own name.
    for (size_t i = 1; i < words.size(); ++i) expected += (i > 1 ? " " : "") + words[i];
    EXPECT_EQ(words[0], "/bin/echo");
    std::string output = Output(script);
    if (words.size() > 1 && words[1] == "-n")
      expected = expected.substr(3);
    else
      expected += "\n";
    EXPECT_EQ(output, expected) << line;
  }
}

TEST_F(JudgeTest, ANestedScriptIsHandedOnByTheNameThatItsInterpreterLineUsed) {
  const std::string inner = Make("inner", "#!/bin/echo in\n");
  const std::string outer = Make("outer", "#!" + inner + " out\n");
  EXPECT_THAT(Words(outer), testing::ElementsAre("/bin/echo", "in", inner, "out", outer));
  EXPECT_EQ(Output(outer), "in " + inner + " out " + outer + "\n");
}

}  // namespace
}  // namespace guise::shim
