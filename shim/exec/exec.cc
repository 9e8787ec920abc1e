#include "shim/exec/exec.h"

#include <linux/fcntl.h>
#include <linux/mman.h>

#include <initializer_list>

#include "proto/wire/handover.h"
#include "proto/wire/version.h"
#include "shim/arch/x86_64/gates.h"
#include "shim/exec/judge.h"
#include "shim/filter/guest_filters.h"
#include "shim/gate/routes.h"
#include "shim/gate/trace.h"
#include "shim/guest_memory.h"
#include "shim/kernel.h"
#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/panic.h"
#include "shim/rewrite/rewrite.h"
#include "shim/signal/actions.h"
#include "shim/signal/interrupt.h"
#include "shim/thread/records.h"
#include "shim/view/fds.h"
#include "shim/view/hiding.h"
#include "shim/view/kernel_look.h"
#include "shim/view/proc.h"

namespace guise::shim {
namespace {

using syscall::Nr;

constexpr size_t kPathSize = 4096;
constexpr size_t kNumbersSize = 128;  // of the private variable, without the path
// ABI: the kernel's limit is by bytes, and a pointer costs eight of at most 6 MiB. This bounds a vector without an end.
constexpr uint64_t kMaxStrings = uint64_t{1} << 24;

// Counts a NULL-terminated vector of the guest's. The count, or -EFAULT, or -E2BIG.
int64_t CountStrings(uint64_t vector) {
  if (vector == 0) return 0;
  for (uint64_t count = 0; count < kMaxStrings; ++count) {
    uint64_t string;
    if (!ReadGuest(&string, vector + 8 * count)) return -EFAULT;
    if (string == 0) return static_cast<int64_t>(count);
  }
  return -E2BIG;
}

// What the guest calls the program.
struct Called {
  const char* path;
  bool by_fd;  // by an fd alone, which the path tells
};

struct Vectors {
  uint64_t* argv;
  uint64_t* envp;
};

uint32_t HandoverFlags(const ThreadBlock* block, bool by_fd) {
  const uint32_t record = block->process->record;
  uint32_t flags = record == kNoRecord ? 0 : (record + 1) << wire::kHandoverRecordShift;
  flags |= CountFilters(block->filters.Relaxed()) << wire::kHandoverFilterShift;
  const SignalSet ignored = IgnoredOfOurs(block->process);
  if (block->asked_for_trace) flags |= wire::kHandoverTraced;
  if (block->process->landlocked) flags |= wire::kHandoverLandlocked;
  if (by_fd) flags |= wire::kHandoverByFd;
  if ((ignored & Bit(SIGSYS)) != 0) flags |= wire::kHandoverIgnoresSigsys;
  if ((ignored & Bit(SIGSEGV)) != 0) flags |= wire::kHandoverIgnoresSegv;
  if ((ignored & Bit(SIGBUS)) != 0) flags |= wire::kHandoverIgnoresBus;
  return flags;
}

// The private variable.
void WriteHandover(const ThreadBlock* block, int32_t target, const Called& called, char* to, size_t size) {
  const ProcessState& process = *block->process;
  Text<kNumbersSize> numbers;
  numbers.Add(wire::kHandoverName).Add(int64_t{wire::kAbiMax}).Add(":").Add(int64_t{process.image_fd}).Add(":");
  numbers.Add(int64_t{process.request_fd}).Add(":").Add(int64_t{process.reply_fd}).Add(":");
  const SignalSet mask = block->mask | (block->blocks_sigsys ? Bit(SIGSYS) : 0);
  numbers.Add(int64_t{HandoverFlags(block, called.by_fd)}).Add(":").Add(static_cast<int64_t>(mask)).Add(":");
  numbers.Add(int64_t{target}).Add(":");
  memcpy(to, numbers.c_str(), numbers.size());
  size_t used = numbers.size();
  for (const char* path = called.path; *path != 0 && used + 1 < size; ++path) to[used++] = *path;
  to[used] = 0;
}

// Zeros or not: the end of the block's stack, whose other end is in use, or a mapping. Its address, or -errno.
int64_t TakeExecMemory(ThreadBlock* block, size_t size) {
  if (size <= kBlockStackSize / 4) return static_cast<int64_t>(StackOf(block));
  const int64_t at = Native(Nr::mmap, nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (IsError(at)) return at;
  NoteMemoryBeside();
  block->exec_scratch_size.StoreRelaxed(size);
  block->exec_scratch.Release(reinterpret_cast<void*>(at));
  return at;
}

// The image's arguments, in memory of their own: argv as the interpreters want it, envp with the private variable last.
// The strings of the guest stay where they are. -errno, or 0.
int64_t BuildVectors(ThreadBlock* block, const Judged& judged, const Called& called, uint64_t argv, uint64_t envp,
                     Vectors* vectors) {
  const int64_t argc = CountStrings(argv);
  if (argc < 0) return argc;
  const int64_t envc = CountStrings(envp);
  if (envc < 0) return envc;
  constexpr size_t kWords = 2 * kMaxScripts + 1;
  const GuestFilter* const filters = block->filters.Relaxed();
  const uint32_t filter_count = CountFilters(filters);
  if (filter_count > wire::kHandoverFilterMax) return -E2BIG;
  const size_t pointers = static_cast<size_t>(argc + envc) + kWords + filter_count + 4;
  const size_t strings = sizeof(judged.heads) + kPathSize + FilterTextSize(filters) + kNumbersSize + kPathSize;
  const size_t size = pointers * 8 + strings;
  const int64_t at = TakeExecMemory(block, size);
  if (IsError(at)) return at;

  auto* pointer = reinterpret_cast<uint64_t*>(at);
  auto* text = reinterpret_cast<char*>(at) + pointers * 8;
  vectors->argv = pointer;
  for (uint32_t i = 0; i < judged.words; ++i) {
    const size_t length = Length(judged.word[i]) + 1;
    memcpy(text, judged.word[i], length);
    *pointer++ = Word(text);
    text += length;
  }
  // A script takes the place of argv[0].
  const int64_t skip = judged.words != 0 && argc > 0 ? 1 : 0;
  if (!ReadGuest(pointer, argv + 8 * static_cast<uint64_t>(skip), 8 * static_cast<uint64_t>(argc - skip)))
    return -EFAULT;
  pointer += argc - skip;
  *pointer++ = 0;
  vectors->envp = pointer;
  if (!ReadGuest(pointer, envp, 8 * static_cast<uint64_t>(envc))) return -EFAULT;
  pointer += envc;
  pointer += filter_count;
  text = WriteFilters(filters, pointer, text);
  WriteHandover(block, judged.fd, called, text, kNumbersSize + kPathSize);
  *pointer++ = Word(text);
  *pointer = 0;
  return 0;
}

void SetCloseOnExec(const ThreadBlock* block, int32_t target, uint32_t flag) {
  const ProcessState& process = *block->process;
  for (const int32_t fd : SessionFds(process)) Native(Nr::fcntl, fd, F_SETFD, flag);
  if (target >= 0) Native(Nr::fcntl, target, F_SETFD, flag);
}

int64_t ReadPath(const ProcessState& process, const ExecRequest& request, char (&path)[kPathSize]) {
  const int64_t length = ReadGuestString(path, request.path, sizeof(path));
  if (length < 0) return length;
  if (length == 0 && (request.flags & AT_EMPTY_PATH) == 0) return -ENOENT;
  const bool uses_fd = path[0] != '/' && request.dir_fd != kCwd;
  return uses_fd && IsGuarded(process, request.dir_fd) ? -EBADF : 0;
}

// The name by which a program opened by fd is known. ABI: fs/exec.c, alloc_bprm(): /dev/fd/N, /dev/fd/N/path.
void ShownPath(const ExecRequest& request, const char* path, Text<kPathSize + 32>* shown) {
  if (path[0] != '/' && request.dir_fd != kCwd) {
    shown->Add("/dev/fd/").Add(int64_t{request.dir_fd});
    if (path[0] != 0) shown->Add("/");
  }
  shown->Add(path);
}

// Whether the path by which a script would be opened is gone by then.
bool ClosesOnExec(const ExecRequest& request, const char* path) {
  if (path[0] == '/' || request.dir_fd == kCwd) return false;
  const int64_t flags = Native(Nr::fcntl, request.dir_fd, F_GETFD);
  return !IsError(flags) && (flags & FD_CLOEXEC) != 0;
}

// The errors that a program's first exec meets.
const char* ErrorText(int64_t error) {
  switch (error) {
    case -ENOENT:
      return "no such file or directory";
    case -EACCES:
      return "permission denied";
    case -ELOOP:
      return "too many symbolic links";
    case -ENOTDIR:
      return "a part of the path is not a directory";
    case -ENAMETOOLONG:
      return "the name is too long";
    case -E2BIG:
      return "arguments and environment are too long";
    case -ENOMEM:
      return "out of memory";
    case -EMFILE:
      return "too many open files";
    default:
      return "the kernel refused it";
  }
}

void CleanUp(ThreadBlock* block) {
  CloseExecFds(block);
  ReleaseExecMemory(block);
}

bool IsAbsent(int32_t dir_fd, const char* path, bool follows) { return LeadsToHidden(dir_fd, Word(path), follows); }

bool MayRunOutside() { return (RootReply().published.flags.Relaxed() & wire::kRefuseUnshimmed) == 0; }

wire::PanicRecord* SayOutside(const char* path, const char* why) {
  Text<sizeof(wire::PanicRecord::text)> text;
  text.Add("a program runs outside of the session, for ").Add(why).Add(": ").Add(path);
  return Notice(text.c_str());
}

// The kernel's own exec: the program leaves the session. -errno.
int64_t RunOutside(ThreadBlock* block, const ExecRequest& request, const char* path, const char* why) {
  wire::PanicRecord* const notice = SayOutside(path, why);
  BeginTrace(block);
  GiveBackThreadRecord(block);
  GiveIgnored(block->process);
  const int64_t error = PerformOpen(
      block, {Nr::execveat, {Word(int64_t{request.dir_fd}), request.path, request.argv, request.envp, request.flags}});
  TakeIgnored(block->process);
  TakeThreadRecord(block);
  TakeBack(notice);
  return error;
}

}  // namespace

Outcome StartExec(ThreadBlock* block, ucontext* context, const ExecRequest& request) {
  static constexpr char kNoPath[] = "";
  if ((request.flags & AT_EXECVE_CHECK) != 0) return Outcome::Native();
  if ((request.flags & ~uint32_t{AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW}) != 0) return Outcome::Done(-EINVAL);
  char path[kPathSize];
  if (const int64_t error = ReadPath(*block->process, request, path)) return Outcome::Done(error);
  Text<kPathSize + 32> shown;
  ShownPath(request, path, &shown);

  if (LeadsThroughHidden(request.dir_fd, Word(path))) return Outcome::Done(-ENOENT);
  Judged judged;
  Judge({.dir_fd = request.dir_fd,
         .path = ProcPath(block, path),
         .flags = request.flags,
         .shown = shown.c_str(),
         .closes = ClosesOnExec(request, path),
         .is_absent = &IsAbsent,
         .landlocked = block->process->landlocked},
        &judged);
  if (judged.unshimmed != nullptr && MayRunOutside()) {
    return Outcome::Done(RunOutside(block, request, path, judged.unshimmed));
  }
  if (judged.error != 0) return Outcome::Done(judged.error);
  block->exec_fd = judged.fd;
  Vectors vectors;
  const Called called = {shown.c_str(), path[0] == 0};
  if (const int64_t error = BuildVectors(block, judged, called, request.argv, request.envp, &vectors)) {
    CleanUp(block);
    return Outcome::Done(error);
  }
  SetCloseOnExec(block, judged.fd, 0);
  GiveBackThreadRecord(block);
  ReleaseSigsys(block);
  GuestRegs& regs = *RegsOf(context);
  block->regs = regs;
  context->uc_sigmask = kEverything;
  regs.rax = Word(Nr::execveat);
  regs.rdi = Word(block->process->image_fd);
  regs.rsi = Word(kNoPath);
  regs.rdx = Word(vectors.argv);
  regs.r10 = Word(vectors.envp);
  regs.r8 = AT_EMPTY_PATH;
  regs.rbx = Word(block);
  regs.rip = Label(guise_exec_gate);
  return Outcome::Redirected();
}

void ReleaseExecMemory(ThreadBlock* block) {
  void* const scratch = block->exec_scratch.Relaxed();
  if (scratch == nullptr) return;
  // The kernel may give the addresses to another thread at once, whose they are then.
  block->exec_scratch.Release(nullptr);
  Native(Nr::munmap, scratch, block->exec_scratch_size.Relaxed());
}

void CloseExecFds(ThreadBlock* block) {
  if (block->exec_fd < 0) return;
  SetCloseOnExec(block, -1, FD_CLOEXEC);
  Native(Nr::close, block->exec_fd);
  block->exec_fd = -1;
}

void ExecFirst(ThreadBlock* block, const FirstProgram& program) {
  static constexpr char kNoPath[] = "";
  Judged judged;
  Judge({.dir_fd = kCwd,
         .path = program.path,
         .flags = 0,
         .shown = program.path,
         .closes = false,
         .is_absent = &IsAbsent},
        &judged);
  int64_t error = judged.error;
  if (judged.unshimmed != nullptr && MayRunOutside()) {
    wire::PanicRecord* const notice = SayOutside(program.path, judged.unshimmed);
    error = Native(Nr::execve, program.path, program.argv, program.envp);
    TakeBack(notice);
  } else if (error == 0) {
    SayIfKernelIsTooOld(judged.fd, program.path);
    Vectors vectors;
    const Called called = {program.path, false};
    error = BuildVectors(block, judged, called, Word(program.argv), Word(program.envp), &vectors);
    if (error == 0) {
      SetCloseOnExec(block, judged.fd, 0);
      error = Native(Nr::execveat, block->process->image_fd, kNoPath, vectors.argv, vectors.envp, AT_EMPTY_PATH);
    }
  }
  Text<kPathSize + 300> line;
  line.Add("guise: ").Add(program.path).Add(": cannot be executed: ");
  line.Add(judged.why != nullptr ? judged.why : ErrorText(error)).Add("\n");
  Native(Nr::write, 2, line.c_str(), line.size());
  constexpr int kNotFound = 127;
  constexpr int kCannot = 126;
  Native(Nr::exit_group, error == -ENOENT && judged.why == nullptr ? kNotFound : kCannot);
  __builtin_trap();
}

}  // namespace guise::shim

#pragma GCC visibility push(hidden)
extern "C" {

// The way out of the exec gate: the kernel has refused the image.
void guise_exec_failed(guise::shim::ThreadBlock* block, int64_t error) {
  using namespace guise::shim;  // NOLINT(google-build-using-namespace): the body belongs there
  CleanUp(block);
  TakeThreadRecord(block);
  if (block->cookie != 0) TakeGs(block);
  block->regs.rax = static_cast<uint64_t>(error);
  block->resume = AfterCall(block->regs.rip);
}
}
#pragma GCC visibility pop
