#include "tests/support/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

namespace guise::tests {
namespace {

constexpr char kPath[] = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
constexpr int kTenthOfASecondMillis = 100;

[[noreturn]] void Die(const char* what) {
  const int error = errno;
  dprintf(2, "%s: %s\n", what, strerror(error));
  _exit(127);
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& s : strings) pointers.push_back(const_cast<char*>(s.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

void Become(const Account& account) {
  if (account == Self()) return;
  if (setgroups(0, nullptr) != 0) Die("setgroups");
  if (setresgid(account.gid, account.gid, account.gid) != 0) Die("setresgid");
  if (setresuid(account.uid, account.uid, account.uid) != 0) Die("setresuid");
}

// In the child: never returns.
[[noreturn]] void Exec(const Command& command, int in, int out, int err) {
  setpgid(0, 0);
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) Die("dup2");
  for (int fd = 3; fd < 1024; ++fd) close(fd);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int sig = 1; sig < NSIG; ++sig) signal(sig, SIG_DFL);
  umask(022);
  Become(command.account);
  if (chdir(command.cwd.c_str()) != 0) Die(command.cwd.c_str());
  const std::vector<char*> argv = Pointers(command.argv);
  const std::vector<char*> env = Pointers(command.env);
  setenv("PATH", kPath, 1);
  for (const int fd : command.closed) close(fd);
  execvpe(argv[0], argv.data(), env.data());
  Die(argv[0]);
}

void MakePipe(int fds[2]) {
  if (pipe2(fds, O_CLOEXEC) != 0) {
    perror("pipe2");
    abort();
  }
}

void CloseFd(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

// True while the pipe is open.
bool Drain(int& fd, std::string& into) {
  char buffer[65536];
  while (fd >= 0) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n > 0) {
      into.append(buffer, static_cast<std::size_t>(n));
    } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      return true;
    } else {
      CloseFd(fd);
    }
  }
  return false;
}

std::string FirstLine(const std::string& path) {
  std::string text = ReadFile(path);
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::vector<std::string> BaseEnvironment(const std::string& home) {
  return {std::string("PATH=") + kPath, "LC_ALL=C", "TERM=dumb", "HOME=" + home, "TMPDIR=" + home};
}

std::ostream& operator<<(std::ostream& out, const RunResult& result) {
  if (result.timed_out) out << "was stuck and killed:\n" << result.stuck;
  out << "exit code " << result.exit_code << ", signal " << result.signal << "\n";
  return out << "--- stdout\n" << result.out << "--- stderr\n" << result.err << "---";
}

int64_t NowNanos() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

int64_t PatienceNanos(int seconds) {
  const char* factor = getenv("GUISE_TEST_PATIENCE_FACTOR");
  return int64_t{seconds} * 1000000000 * (factor == nullptr ? 1 : atoi(factor));
}

void Nap() {
  const timespec hundredth{0, 10000000};
  nanosleep(&hundredth, nullptr);
}

std::unique_ptr<Process> Process::Start(const Command& command) {
  signal(SIGPIPE, SIG_IGN);
  int in[2];
  int out[2];
  int err[2];
  MakePipe(in);
  MakePipe(out);
  MakePipe(err);
  std::unique_ptr<Process> process(new Process);
  process->pid_ = fork();
  if (process->pid_ == 0) Exec(command, in[0], out[1], err[1]);
  close(in[0]);
  close(out[1]);
  close(err[1]);
  process->in_ = in[1];
  process->out_ = out[0];
  process->err_ = err[0];
  for (const int fd : {in[1], out[0], err[0]}) fcntl(fd, F_SETFL, O_NONBLOCK);
  process->unsent_ = command.input;
  process->keep_stdin_open_ = command.keep_stdin_open;
  process->deadline_ = NowNanos() + PatienceNanos(command.patience_seconds);
  process->Write("");
  return process;
}

Process::~Process() {
  if (!reaped_ && pid_ > 0) {
    for (const pid_t pid : Descendants(pid_)) kill(pid, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  CloseFd(in_);
  CloseFd(out_);
  CloseFd(err_);
}

void Process::Write(std::string_view text) {
  unsent_.append(text);
  while (in_ >= 0 && !unsent_.empty()) {
    const ssize_t n = write(in_, unsent_.data(), unsent_.size());
    if (n > 0) {
      unsent_.erase(0, static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      if (errno != EAGAIN) CloseFd(in_);
      return;
    }
  }
  if (unsent_.empty() && !keep_stdin_open_) CloseFd(in_);
}

void Process::CloseInput() {
  keep_stdin_open_ = false;
  Write("");
}

bool Process::Pump() {
  if (out_ < 0 && err_ < 0) return false;
  pollfd fds[3] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}, {unsent_.empty() ? -1 : in_, POLLOUT, 0}};
  poll(fds, 3, kTenthOfASecondMillis);
  if (!unsent_.empty()) Write("");
  const bool out_open = Drain(out_, result_.out);
  const bool err_open = Drain(err_, result_.err);
  return out_open || err_open;
}

bool Process::Exited() {
  if (!reaped_ && waitpid(pid_, &status_, WNOHANG) == pid_) reaped_ = true;
  return reaped_;
}

bool Process::Late() const { return NowNanos() > deadline_; }

void Process::GiveUp() {
  const std::vector<pid_t> family = Descendants(pid_);
  result_.timed_out = true;
  result_.stuck = Describe(family);
  for (const pid_t pid : family) kill(pid, SIGKILL);
}

bool Process::AwaitOutput(std::string_view text) {
  while (true) {
    const std::size_t found = result_.out.find(text, awaited_);
    if (found != std::string::npos) {
      awaited_ = found + text.size();
      return true;
    }
    const std::size_t before = result_.out.size();
    const bool open = Pump();
    if (result_.out.size() == before && (!open || Late())) return false;
  }
}

void Process::Signal(int signal) const {
  if (!reaped_) kill(pid_, signal);
}

RunResult Process::WaitForExitOnly() {
  if (unsent_.empty()) CloseInput();
  while (!Exited()) {
    if (!result_.timed_out && Late()) GiveUp();
    Pump();
    if (out_ < 0 && err_ < 0) Nap();
  }
  Pump();
  result_.exit_code = WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  result_.signal = WIFSIGNALED(status_) ? WTERMSIG(status_) : 0;
  return result_;
}

RunResult Process::Wait() {
  WaitForExitOnly();
  while (Pump()) {
    if (!Late()) continue;
    result_.timed_out = true;
    result_.stuck += "the program has ended, but something else holds its stdout or stderr\n";
    break;
  }
  return result_;
}

RunResult RunToEnd(const Command& command) { return Process::Start(command)->Wait(); }

std::vector<pid_t> Descendants(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  if (DIR* proc = opendir("/proc")) {
    while (const dirent* entry = readdir(proc)) {
      const pid_t pid = atoi(entry->d_name);
      if (pid <= 0) continue;
      const std::string stat = ReadFile(std::string("/proc/") + entry->d_name + "/stat");
      const std::size_t end = stat.rfind(')');  // the name in front may hold anything
      if (end == std::string::npos) continue;
      std::istringstream rest(stat.substr(end + 1));
      char state = 0;
      pid_t parent = 0;
      rest >> state >> parent;
      if (state != 'Z') children.emplace(parent, pid);
    }
    closedir(proc);
  }
  std::vector<pid_t> found = {root};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto range = children.equal_range(found[i]);
    for (auto it = range.first; it != range.second; ++it) found.push_back(it->second);
  }
  return found;
}

std::string Describe(const std::vector<pid_t>& pids) {
  std::string text;
  for (const pid_t pid : pids) {
    const std::string base = "/proc/" + std::to_string(pid);
    std::string command = ReadFile(base + "/cmdline");
    for (char& c : command) c = c == '\0' ? ' ' : c;
    text += std::to_string(pid) + " " + FirstLine(base + "/comm") + " [" + command + "] waits in " +
            FirstLine(base + "/wchan") + ", syscall " + FirstLine(base + "/syscall") + "\n";
  }
  return text;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteFile(const std::string& path, std::string_view contents, mode_t mode) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
  chmod(path.c_str(), mode);
}

}  // namespace guise::tests
