// The loader: what the image does after an exec, before the program's first instruction.
//
//  1. The private variable says which fds are the session's, and which program to load.
//  2. The memories are mapped, the program and its ELF interpreter are mapped, stack and auxiliary vector are edited in
//     place, so that program, gdb and /proc see what a native exec would have left.
//  3. The thread is armed: from here on every syscall outside this image is caught.
//
// A failure here comes after the point of no return, so it ends the process, with a panic record.
#include <asm/stat.h>
#include <linux/auxvec.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>

#include <initializer_list>

#include "proto/wire/handover.h"
#include "shim/arch/x86_64/syscall.h"
#include "shim/exec/exec.h"
#include "shim/filter/guest_filters.h"
#include "shim/gate/routes.h"
#include "shim/loader/elf.h"
#include "shim/loader/handover.h"
#include "shim/loader/initial_stack.h"
#include "shim/memories.h"
#include "shim/memory.h"
#include "shim/panic.h"
#include "shim/placement.h"
#include "shim/rewrite/book.h"
#include "shim/rewrite/known.h"
#include "shim/rewrite/mappings.h"
#include "shim/rewrite/rewrite.h"
#include "shim/rewrite/site_stub.h"
#include "shim/rewrite/text.h"
#include "shim/rewrite/text_rules.h"
#include "shim/signal/actions.h"
#include "shim/signal/fault.h"
#include "shim/signal/stack_size.h"
#include "shim/thread/block.h"
#include "shim/thread/records.h"
#include "shim/thread/stub_table.h"
#include "shim/view/fd_moves.h"
#include "shim/view/kernel_look.h"
#include "shim/view/program.h"

namespace guise::shim {
namespace {

using syscall::Nr;

[[noreturn]] void Fail(const char* what, int64_t error) { Panic(wire::PanicKind::kLoader, what, {.error = error}); }

void Check(int64_t result, const char* what) {
  if (IsError(result)) Fail(what, result);
}

// Program and interpreter, mapped; where to begin.
struct Loaded {
  Mapped program;
  Mapped interpreter;
  uint32_t headers;
  bool has_interpreter;
};

// Too large for the stack that a start has touched.
GUISE_TABLE ElfHead g_elf;

// Opened, read and judged before, but perhaps not the same any more.
struct OpenFile {
  int32_t fd;
  struct stat status;
};
void Read(OpenFile* file, const char* changed) {
  const bool is_known = !IsError(Native(Nr::fstat, file->fd, &file->status)) && !IsError(ReadStart(file->fd, &g_elf));
  const auto size = static_cast<uint64_t>(file->status.st_size);
  if (!is_known || ReadRest(file->fd, size, &g_elf) != ElfError::kNone) Fail(changed, -ENOEXEC);
}

constexpr uint64_t kPageMask = 4095;

// Whether the pages of a text's bytes are its own, and there is nothing behind them.
bool IsApart(const ElfHead& elf, const Elf64_Phdr& text) {
  const uint64_t start = text.p_vaddr & ~kPageMask;
  const uint64_t end = (text.p_vaddr + text.p_filesz + kPageMask) & ~kPageMask;
  if (text.p_vaddr + text.p_memsz > end) return false;
  for (uint32_t i = 0; i < elf.header.e_phnum; ++i) {
    const Elf64_Phdr& other = elf.segments[i];
    if (&other == &text || other.p_type != PT_LOAD || other.p_memsz == 0) continue;
    if ((other.p_vaddr & ~kPageMask) < end && start < other.p_vaddr + other.p_memsz) return false;
  }
  return true;
}

// The file's one text, if it may be read too and lies apart, or null.
const Elf64_Phdr* TextOf(const ElfHead& elf) {
  const Elf64_Phdr* text = nullptr;
  for (uint32_t i = 0; i < elf.header.e_phnum; ++i) {
    const Elf64_Phdr& segment = elf.segments[i];
    if (!IsText(segment)) continue;
    if (text != nullptr || (segment.p_flags & PF_R) == 0 || segment.p_filesz == 0) return nullptr;
    text = &segment;
  }
  return text != nullptr && IsApart(elf, *text) ? text : nullptr;
}

TextRange RangeOf(const Elf64_Phdr& segment, uint64_t bias, const BookedFile& file) {
  const uint64_t start = bias + segment.p_vaddr;
  return TextIn(file, start & ~kPageMask, (start + segment.p_filesz + kPageMask) & ~kPageMask,
                segment.p_offset & ~kPageMask);
}

// Maps the file, which has been read. Its known sites are rewritten.
void Map(ThreadBlock* block, const OpenFile& file, Role role, Mapped* mapped) {
  const BookedFile booked = MayRewrite(block) ? NoteFile(file.status, role) : BookedFile{};
  const Elf64_Phdr* const text = TextOf(g_elf);
  const TextRange unmapped = text == nullptr ? TextRange{} : RangeOf(*text, 0, booked);
  KnownSites sites;
  const bool rewrites =
      text != nullptr && sites.Look(block, booked, unmapped.offset, unmapped.offset + (unmapped.end - unmapped.start));
  mapped->open = rewrites ? text : nullptr;
  Check(MapElf(file.fd, g_elf, mapped), "the program, or its ELF interpreter, cannot be mapped");
  for (uint32_t i = 0; i < g_elf.header.e_phnum; ++i) {
    if (IsText(g_elf.segments[i])) NoteText(RangeOf(g_elf.segments[i], mapped->bias, booked));
  }
  if (mapped->open != nullptr) {
    RewriteOpen(&sites, RangeOf(*text, mapped->bias, booked), file.fd);
  } else if (rewrites) {
    RewriteKnown(block, booked, RangeOf(*text, mapped->bias, booked), file.fd);
  }
  NoteKernelNeeded(file.fd, g_elf);
}

void Load(ThreadBlock* block, int32_t fd, Loaded* loaded) {
  OpenFile file = {fd, {}};
  Read(&file, "the program has changed");
  const char* name = nullptr;
  const int64_t length = ReadInterpreter(fd, &g_elf, &name);
  Check(length, "the program has changed");
  Map(block, file, Role::kProgram, &loaded->program);
  KeepProgramFile(block->process, fd, file.status);
  loaded->headers = g_elf.header.e_phnum;
  loaded->has_interpreter = length != 0;
  if (!loaded->has_interpreter) return;
  file.fd = static_cast<int32_t>(Native(Nr::openat, kCwd, name, O_RDONLY | O_CLOEXEC, 0));
  Check(file.fd, "the ELF interpreter cannot be opened");
  Read(&file, "the ELF interpreter has changed");
  Map(block, file, Role::kInterpreter, &loaded->interpreter);
  Native(Nr::close, file.fd);
  NoteInterpreter(loaded->interpreter.start_code, loaded->interpreter.end_code);
}

void EditAux(InitialStack* stack, const Loaded& loaded, const char* path) {
  stack->SetAux(AT_PHDR, loaded.program.headers);
  stack->SetAux(AT_PHNUM, loaded.headers);
  stack->SetAux(AT_ENTRY, loaded.program.entry);
  stack->SetAux(AT_BASE, loaded.has_interpreter ? loaded.interpreter.bias : 0);
  stack->SetAux(AT_EXECFN, Word(path));
}

// Where brk(2) begins: the kernel has put it where a position-independent program has it. Behind one that is not, as
// far as the kernel would have moved it at random. ABI: load_elf_binary(), arch_randomize_brk().
uint64_t StartOfBreak(const ThreadBlock* block, const Mapped& program) {
  const auto kernels = static_cast<uint64_t>(Native(Nr::brk, 0));
  if (program.bias != 0) return kernels;
  constexpr uint64_t kAsk = 0xffffffff;
  constexpr int64_t kNoRandomize = 0x0040000;  // ADDR_NO_RANDOMIZE
  // The guest's filters may be the kernel's, too, and kill for what is not the guest's call.
  const bool may_ask = block->filters.Acquire() == nullptr;
  const int64_t personality = may_ask ? Native(Nr::personality, kAsk) : 0;
  const bool random = !IsError(personality) && (personality & kNoRandomize) == 0;
  constexpr uint64_t kRandomBits = 0x1fff000;
  return ((program.end + kPageMask) & ~kPageMask) + (random ? kernels & kRandomBits : 0);
}

// What others see in /proc: the environment without the private variable, the program's auxiliary vector and code.
// Works for ordinary users, but for exe (ABI: kernel/sys.c, prctl_set_mm_map()). Where it is refused nothing is lost
// but that.
void TellKernel(const ThreadBlock* block, const InitialStack& stack, const Loaded& loaded,
                const char* private_variable) {
  const uint64_t env_start = stack.envp()[0] == nullptr ? Word(private_variable) : Word(stack.envp()[0]);
  const uint64_t arg_start = stack.argc() == 0 ? env_start : Word(stack.argv()[0]);
  prctl_mm_map map = {};
  map.start_code = loaded.program.start_code;
  map.end_code = loaded.program.end_code;
  map.start_data = loaded.program.start_data;
  map.end_data = loaded.program.end_data;
  map.start_brk = map.brk = StartOfBreak(block, loaded.program);
  map.start_stack = Word(stack.sp());
  map.arg_start = arg_start;
  map.arg_end = env_start;
  map.env_start = env_start;
  map.env_end = Word(private_variable);
  map.auxv = reinterpret_cast<decltype(map.auxv)>(stack.aux());
  map.auxv_size = static_cast<uint32_t>(stack.aux_size());
  map.exe_fd = static_cast<uint32_t>(-1);
  Native(Nr::prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

void MakeStackExecutable(const InitialStack& stack) {
  const uint64_t page = Word(stack.sp()) & ~uint64_t{4095};
  Native(Nr::mprotect, page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
}

// Too large for the stack that a start has touched.
constexpr size_t kPathSize = 4096;
GUISE_TABLE char g_file_name[kPathSize];

// What the kernel calls the open file; null: it does not tell. Until the next is asked for.
char* NameOf(int32_t fd) {
  Text<40> link;
  link.Add("/proc/self/fd/").Add(int64_t{fd});
  const int64_t length = Native(Nr::readlinkat, kCwd, link.c_str(), g_file_name, kPathSize - 1);
  if (IsError(length)) return nullptr;
  g_file_name[length] = 0;
  return g_file_name;
}

// Whether the text of the program whose file is open stays as it is. It is called `path` where the kernel does not tell
// its name.
bool KeepsTextOf(int32_t fd, const char* path) {
  if ((RootReply().published.flags.Relaxed() & wire::kHasTextRules) == 0) return false;
  const char* const name = NameOf(fd);
  return KeepsText(TextRules(), wire::kTextRulesSize, name == nullptr ? path : name);
}

// The program's name as a task. ABI: fs/exec.c, begin_new_exec(): of one that was named by its fd alone it is the
// file's since Linux 6.14, as the image's own exec shows, and the fd's number before.
const char* CommOf(const Handover& handover) {
  const char* const by_path = BaseName(handover.path);
  char own[16] = {};
  if ((handover.flags & wire::kHandoverByFd) == 0 || IsError(Native(Nr::prctl, PR_GET_NAME, own))) return by_path;
  if (own[0] >= '0' && own[0] <= '9') return by_path;
  char* const name = NameOf(handover.target_fd);
  if (name == nullptr) return by_path;
  constexpr char kGone[] = " (deleted)";
  constexpr size_t kGoneSize = sizeof(kGone) - 1;
  const size_t size = Length(name);
  if (size > kGoneSize && memcmp(name + size - kGoneSize, kGone, kGoneSize) == 0) name[size - kGoneSize] = 0;
  return BaseName(name);
}

SignalSet IgnoredBy(const Handover& handover) {
  return ((handover.flags & wire::kHandoverIgnoresSigsys) != 0 ? Bit(SIGSYS) : 0) |
         ((handover.flags & wire::kHandoverIgnoresSegv) != 0 ? Bit(SIGSEGV) : 0) |
         ((handover.flags & wire::kHandoverIgnoresBus) != 0 ? Bit(SIGBUS) : 0);
}

// The guest's own seccomp filters. Returns the first of the strings that they came in, or null.
const char* TakeFilters(ThreadBlock* block, const Handover& handover, InitialStack* stack) {
  const uint32_t count = handover.flags >> wire::kHandoverFilterShift;
  if (count == 0) return nullptr;
  char** const end = stack->envp() + stack->envc();
  const char* const first = end[-static_cast<int64_t>(count)];
  for (char** at = end - count; at < end; ++at) {
    if (!ReadFilter(block, *at)) Fail("the program's seccomp filters cannot be taken over", -ENOMEM);
  }
  for (uint32_t i = 0; i < count; ++i) stack->DropLastVariable();
  return first;
}

SignalSet KernelMask() {
  SignalSet mask = 0;
  Native(Nr::rt_sigprocmask, SIG_BLOCK, nullptr, &mask, sizeof(mask));
  return mask;
}

void ArmProcess(ThreadBlock* block, const Handover& handover, const char* comm) {
  ProcessState* const process = block->process;
  block->blocks_sigsys = (block->mask & Bit(SIGSYS)) != 0;
  block->blocked_faults = block->mask & kFaults;
  // ABI: ptrace_event() of include/linux/ptrace.h: a tracee without options is sent SIGTRAP at its exec.
  if ((handover.flags & wire::kHandoverTraced) != 0 && Native(Nr::ptrace, PTRACE_TRACEME) == 0) {
    Native(Nr::kill, Native(Nr::getpid), SIGTRAP);
  }
  Check(InstallHandlers(process, IgnoredBy(handover)), "signal handlers cannot be installed");
  KeepProcessRecord(process, (handover.flags >> wire::kHandoverRecordShift & wire::kHandoverRecordMask) - 1);
  if (process->record == kNoRecord) TakeProcessRecord(process, kNoRecord, 0);
  NameProcessRecord(process, comm);
  block->tid = process->pid;
  TakeThreadRecord(block);
  Check(SetBlockStack(block), "the alternate signal stack cannot be set");
  if (HasRewritten()) TakeGs(block);
  Check(Arm(), "the kernel refuses Syscall User Dispatch");
}

// Enters the guest by rt_sigreturn(2): registers as execve(2) leaves them, stack, mask and what it has held back come
// at once, so that a signal which waits, a debugger's first of all, finds the program at its entry. Returns the stack
// pointer for that call. ABI: ELF_PLAT_INIT and start_thread(), arch/x86: all registers are 0.
const void* EntryFrame(ThreadBlock* block, uint64_t entry, uint64_t sp) {
  constexpr uint64_t kInterruptsOn = 0x200;
  auto* const frame = reinterpret_cast<SignalFrame*>(Word(block) - sizeof(SignalFrame)) - 1;
  *frame = {};
  ucontext& context = frame->context;
  context.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
  context.uc_stack.ss_sp = reinterpret_cast<void*>(StackOf(block));
  context.uc_stack.ss_size = kBlockStackSize;
  context.uc_sigmask = block->mask & ~Bit(SIGSYS);
  context.uc_mcontext.cs = kUserCode;
  context.uc_mcontext.ss = kUserData;
  GuestRegs& regs = *RegsOf(&context);
  regs.eflags = kInterruptsOn;
  regs.rip = entry;
  regs.rsp = sp;
  return &frame->context;
}

}  // namespace
}  // namespace guise::shim

#pragma GCC visibility push(hidden)
extern "C" {

const void* guise_load(uint64_t* sp) {
  using namespace guise::shim;  // NOLINT(google-build-using-namespace): the body belongs there
  InitialStack stack(sp);
  const char* variable = stack.LastVariable();
  Handover handover;
  if (variable == nullptr || !ParseHandover(variable, &handover)) {
    Fail("this is the inside of Guise; start programs with `guise run`", 0);
  }
  stack.DropLastVariable();
  NoteHardware(stack.Aux(AT_HWCAP2));
  NoteFrameSize(stack.Aux(AT_MINSIGSTKSZ));
  SetChance(*reinterpret_cast<const uint8_t*>(stack.Aux(AT_RANDOM)));
  Check(MapMemories(handover.request_fd, handover.reply_fd), "the session's memories cannot be mapped");

  ProcessState* const process = TakeProcessState();
  ThreadBlock* const block = process == nullptr ? nullptr : TakeBlock();
  if (block == nullptr) Fail("out of memory", -ENOMEM);
  TouchStubTable();
  block->process = process;
  process->image_fd = handover.image_fd;
  process->request_fd = handover.request_fd;
  process->reply_fd = handover.reply_fd;
  process->program_fd = -1;
  NoteSessionFiles(*process);
  block->mask = (handover.flags & guise::wire::kHandoverFirst) != 0 ? KernelMask() : handover.mask;
  if (handover.target_fd < 0) {
    ExecFirst(block, {.path = handover.path, .argv = stack.argv(), .envp = stack.envp()});
  }
  // The first private string is where the guest's environment ends.
  if (const char* const filters = TakeFilters(block, handover, &stack); filters != nullptr) variable = filters;
  for (const int32_t fd : {handover.image_fd, handover.request_fd, handover.reply_fd}) {
    Native(Nr::fcntl, fd, F_SETFD, FD_CLOEXEC);
  }

  process->landlocked = (handover.flags & guise::wire::kHandoverLandlocked) != 0;
  process->keeps_text = KeepsTextOf(handover.target_fd, handover.path);
  const char* const comm = CommOf(handover);
  Loaded loaded = {};
  Load(block, handover.target_fd, &loaded);
  NoteProgram(loaded.program.file_page, handover.path);
  EditAux(&stack, loaded, handover.path);
  TellKernel(block, stack, loaded, variable);
  Native(Nr::prctl, PR_SET_NAME, comm);
  if (loaded.program.executable_stack) MakeStackExecutable(stack);
  ArmProcess(block, handover, comm);
  return EntryFrame(block, loaded.has_interpreter ? loaded.interpreter.entry : loaded.program.entry, Word(stack.sp()));
}
}
#pragma GCC visibility pop
