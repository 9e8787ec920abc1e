// Signals of the stream's own thread: sent, nested, held, waited for, left by a jump; faults; calls that one ends.
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "tests/stress/stress.h"

enum { kSignalsEach = 4 };

static __thread struct Stream* self;
static __thread sigjmp_buf back;
static __thread volatile int nested, jumps, pipe_to_fill;
static __thread volatile int is_counting;  // async: counted, and in no sum
static __thread volatile int counted;
static __thread timer_t storm;

static int SignalOf(const struct Stream* stream, int which) { return SIGRTMIN + stream->number * kSignalsEach + which; }

static long Queue(struct Stream* stream, int signal, int value) {
  siginfo_t info = {.si_signo = signal, .si_code = SI_QUEUE};
  info.si_value.sival_int = value;
  info.si_pid = getpid();
  info.si_uid = RawUid();
  return CALL(stream, rt_tgsigqueueinfo, getpid(), gettid(), signal, P(&info));
}

static void OnSignal(int signal, siginfo_t* info, void* context) {
  const int kept_errno = errno;
  const ucontext_t* const state = context;
  char here;
  if (pipe_to_fill > 0) {
    CHECK(write(pipe_to_fill, "s", 1) == 1);
    pipe_to_fill = 0;
  }
  if (is_counting) {
    // A machine that is slow would do nothing else.
    const struct itimerspec never = {{0, 0}, {0, 0}};
    if (++counted == 30 && signal == SignalOf(self, 3)) timer_settime(storm, 0, &never, NULL);
    errno = kept_errno;
    return;
  }
  struct Stream* const stream = self;
  CHECK(stream != NULL);
  Fold(stream, (uint64_t)(signal - SignalOf(stream, 0)));
  Fold(stream, (uint64_t)info->si_code);
  Fold(stream, (uint64_t)info->si_value.sival_int);
  const unsigned char* const at = (const unsigned char*)&here;
  const int is_on_own = at >= stream->handler_stack && at < stream->handler_stack + kHandlerStack;
  Fold(stream, (uint64_t)is_on_own);
  sigset_t now;
  CHECK(CALL(stream, rt_sigprocmask, SIG_BLOCK, 0, P(&now), 8) == 0);
  for (int which = 0; which < kSignalsEach; ++which) {
    Fold(stream, (uint64_t)sigismember(&now, SignalOf(stream, which)));
    Fold(stream, (uint64_t)sigismember(&state->uc_sigmask, SignalOf(stream, which)));
  }
  if (nested > 0) {
    --nested;
    Fold(stream, (uint64_t)Queue(stream, signal, info->si_value.sival_int + 1));
  }
  if (jumps > 0) {
    --jumps;
    siglongjmp(back, 1);
  }
  errno = kept_errno;
}

// The fault of this very thread: what it was, then on behind it.
static void OnFault(int signal, siginfo_t* info, void* context) {
  (void)context;
  CHECK(self != NULL && jumps > 0);
  --jumps;
  Fold(self, (uint64_t)signal);
  Fold(self, (uint64_t)info->si_code);
  siglongjmp(back, 1 + (int)((uintptr_t)info->si_addr & 0xfff));
}

void InstallFaultHandlers(void) {
  static const int kFaults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  struct sigaction action = {.sa_sigaction = OnFault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  for (size_t i = 0; i < sizeof(kFaults) / sizeof(kFaults[0]); ++i) CHECK(sigaction(kFaults[i], &action, NULL) == 0);
  action.sa_handler = SIG_IGN;
  CHECK(sigaction(SIGPIPE, &action, NULL) == 0);
}

void OpenSignals(struct Stream* stream) {
  self = stream;
  stream->handler_stack = mmap(NULL, kHandlerStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(stream->handler_stack != MAP_FAILED);
  const stack_t stack = {.ss_sp = stream->handler_stack, .ss_size = kHandlerStack};
  CHECK(sigaltstack(&stack, NULL) == 0);
}

static void Handle(struct Stream* stream, int signal, int flags) {
  struct sigaction action = {.sa_sigaction = OnSignal, .sa_flags = SA_SIGINFO | flags}, before;
  for (int which = 0; which < kSignalsEach; ++which) {
    if (Below(stream, 3) == 0) sigaddset(&action.sa_mask, SignalOf(stream, which));
  }
  CHECK(sigaction(signal, &action, NULL) == 0 && sigaction(signal, NULL, &before) == 0);
  Fold(stream, (uint64_t)(before.sa_flags & (SA_NODEFER | SA_ONSTACK | SA_RESTART)));
}

static int DrawFlags(struct Stream* stream) {
  const uint64_t draw = Random(stream);
  return (draw & 1 ? SA_NODEFER : 0) | (draw & 2 ? SA_ONSTACK : 0) | (draw & 4 ? SA_RESTART : 0);
}

static void Send(struct Stream* stream) {
  const int signal = SignalOf(stream, (int)Below(stream, kSignalsEach));
  Handle(stream, signal, DrawFlags(stream));
  nested = (int)Below(stream, 4);
  switch (Below(stream, 3)) {
    case 0:
      Fold(stream, (uint64_t)CALL(stream, tgkill, getpid(), gettid(), signal));
      break;
    case 1:
      Fold(stream, (uint64_t)CALL(stream, tkill, gettid(), signal));
      break;
    default:
      Fold(stream, (uint64_t)Queue(stream, signal, (int)Below(stream, 1000)));
  }
  nested = 0;
}

static void Jump(struct Stream* stream) {
  const int signal = SignalOf(stream, (int)Below(stream, kSignalsEach));
  Handle(stream, signal, DrawFlags(stream));
  if (sigsetjmp(back, 1) == 0) {
    jumps = 1;
    Queue(stream, signal, 5);
    CHECK(!"the handler does not return");
  }
  Fold(stream, 6);
}

static void BlockAll(struct Stream* stream, sigset_t* set) {
  sigemptyset(set);
  for (int which = 0; which < kSignalsEach; ++which) sigaddset(set, SignalOf(stream, which));
  CHECK(CALL(stream, rt_sigprocmask, SIG_BLOCK, P(set), 0, 8) == 0);
}

static void Hold(struct Stream* stream) {
  sigset_t set, pending;
  for (int which = 0; which < kSignalsEach; ++which) Handle(stream, SignalOf(stream, which), DrawFlags(stream));
  BlockAll(stream, &set);
  for (uint64_t times = Below(stream, 6); times > 0; --times) {
    const int signal = SignalOf(stream, (int)Below(stream, kSignalsEach));
    Fold(stream, (uint64_t)Queue(stream, signal, (int)Below(stream, 1000)));
  }
  Fold(stream, (uint64_t)CALL(stream, rt_sigpending, P(&pending), 8));
  for (int which = 0; which < kSignalsEach; ++which) {
    Fold(stream, (uint64_t)sigismember(&pending, SignalOf(stream, which)));
  }
  Fold(stream, (uint64_t)CALL(stream, rt_sigprocmask, SIG_UNBLOCK, P(&set), 0, 8));
}

static void Await(struct Stream* stream) {
  sigset_t set;
  siginfo_t info;
  const struct timespec none = {0, 0};
  BlockAll(stream, &set);
  const uint64_t times = Below(stream, 5);
  for (uint64_t i = 0; i < times; ++i) {
    Queue(stream, SignalOf(stream, (int)Below(stream, kSignalsEach)), (int)Below(stream, 1000));
  }
  const int by_file = (int)Below(stream, 3) == 0;
  const long file = by_file ? CALL(stream, signalfd4, -1, P(&set), 8, SFD_NONBLOCK | SFD_CLOEXEC) : -1;
  for (uint64_t i = 0; i <= times; ++i) {
    struct signalfd_siginfo read_info = {0};
    if (by_file) {
      Fold(stream, (uint64_t)CALL(stream, read, file, P(&read_info), sizeof(read_info)));
      Fold(stream, (uint64_t)read_info.ssi_int + read_info.ssi_signo);
      continue;
    }
    const long got = CALL(stream, rt_sigtimedwait, P(&set), P(&info), P(&none), 8);
    Fold(stream, (uint64_t)got);
    if (got > 0) Fold(stream, (uint64_t)info.si_value.sival_int);
  }
  if (by_file) Fold(stream, (uint64_t)CALL(stream, close, file));
  Fold(stream, (uint64_t)CALL(stream, rt_sigprocmask, SIG_UNBLOCK, P(&set), 0, 8));
}

static timer_t StartTimer(struct Stream* stream, int signal, long nanos, long every) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};
  event.sigev_value.sival_int = (int)Below(stream, 100);
  event._sigev_un._tid = gettid();
  const struct itimerspec when = {{0, every}, {0, nanos}};
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &when, NULL) == 0);
  return timer;
}

static void TimedWait(struct Stream* stream) {
  sigset_t set;
  siginfo_t info = {0};
  BlockAll(stream, &set);
  const timer_t timer = StartTimer(stream, SignalOf(stream, 1), 1 + (long)Below(stream, 60000), 0);
  Fold(stream, (uint64_t)CALL(stream, rt_sigtimedwait, P(&set), P(&info), 0, 8));
  Fold(stream, (uint64_t)info.si_value.sival_int + (uint64_t)info.si_code);
  CHECK(timer_delete(timer) == 0);
  Fold(stream, (uint64_t)CALL(stream, rt_sigprocmask, SIG_UNBLOCK, P(&set), 0, 8));
}

// A call that waits is ended by a handler, or goes on behind it.
static void Interrupt(struct Stream* stream) {
  int ends[2];
  char byte = 0;
  const int restarts = (int)Below(stream, 2);
  const int signal = SignalOf(stream, 2);
  struct sigaction action = {.sa_sigaction = OnSignal, .sa_flags = SA_SIGINFO | (restarts ? SA_RESTART : 0)};
  CHECK(sigaction(signal, &action, NULL) == 0 && pipe2(ends, O_CLOEXEC) == 0);
  is_counting = 1;
  counted = 0;
  pipe_to_fill = restarts ? ends[1] : 0;
  const timer_t timer = StartTimer(stream, signal, 1 + (long)Below(stream, 60000), 1000000);
  if (restarts || Below(stream, 2) == 0) {
    Fold(stream, (uint64_t)CALL(stream, read, ends[0], P(&byte), 1));
  } else {
    sigset_t none;
    sigemptyset(&none);
    Fold(stream, (uint64_t)CALL(stream, rt_sigsuspend, P(&none), 8));
  }
  Fold(stream, (uint64_t)byte);
  CHECK(timer_delete(timer) == 0);
  CHECK(counted > 0);
  is_counting = 0;
  CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

// Handlers run between any two instructions of other steps' work.
static void Storm(struct Stream* stream) {
  const int signal = SignalOf(stream, 3);
  struct sigaction action = {.sa_sigaction = OnSignal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
  CHECK(sigaction(signal, &action, NULL) == 0);
  is_counting = 1;
  counted = 0;
  storm = StartTimer(stream, signal, 5000, 30000);
  const long parent = getppid();
  char bytes[16];
  for (int i = 0; i < 40; ++i) {
    CHECK(CALL(stream, getppid) == parent);
    CHECK(CALL(stream, write, -1, P(bytes), 1) == -EBADF);
    CHECK(CALL(stream, readlink, P("nothing"), P(bytes), sizeof(bytes)) == -ENOENT);
  }
  CHECK(timer_delete(storm) == 0);
  is_counting = 0;
}

static void Fault(struct Stream* stream) {
  volatile int zero = 0;
  unsigned char* const page = mmap(NULL, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  const uint64_t which = Below(stream, 4), at = Below(stream, kPage);
  jumps = 1;
  const int jumped = sigsetjmp(back, 1);
  if (jumped == 0) {
    if (which == 0) *(volatile unsigned char*)(page + at) = 1;
    if (which == 1) Fold(stream, (uint64_t)(5 / zero));
    if (which == 2) __asm__ volatile("ud2");
    if (which == 3) __asm__ volatile("int3");
    CHECK(!"a fault");
  }
  if (which == 0) Fold(stream, (uint64_t)jumped);
  CHECK(munmap(page, kPage) == 0);
}

const struct Operation kSignalOperations[] = {
    {"send", Send, 40, 0},   {"jump", Jump, 20, 0},           {"hold", Hold, 20, 0},
    {"await", Await, 20, 0}, {"timed wait", TimedWait, 5, 0}, {"interrupt", Interrupt, 10, 0},
    {"storm", Storm, 10, 0}, {"fault", Fault, 20, 0},         {0},
};
