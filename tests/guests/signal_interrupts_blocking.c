// A signal ends calls that block as natively: with EINTR, or by making the call again behind the handler, each with the
// mask, siginfo and order that Linux has. The signals come from another process that sees the caller asleep.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "tests/guests/guest.h"

static volatile sig_atomic_t handled;
static volatile int value;
static sigset_t mask_within;
static int to_write = -1;

static void OnUsr1(int number, siginfo_t* info, void* context) {
  (void)number;
  const ucontext_t* uc = context;
  value = info->si_value.sival_int;
  mask_within = uc->uc_sigmask;
  ++handled;
  // What the call waits for, if it is made again.
  if (to_write >= 0) CHECK(write(to_write, "x", 1) == 1);
}

// Queues SIGUSR1 with `with` to the caller as soon as it sleeps in a call.
static pid_t SendWhenAsleep(int with) {
  const pid_t caller = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  char path[64];
  char line[256];
  snprintf(path, sizeof(path), "/proc/%d/stat", caller);
  for (int calm = 0; calm < 3;) {
    FILE* file = fopen(path, "r");
    CHECK(file != NULL && fgets(line, sizeof(line), file) != NULL);
    fclose(file);
    // Asleep three times in a row: no short wait on the way, for the server say.
    calm = strrchr(line, ')')[2] == 'S' ? calm + 1 : 0;
    const struct timespec moment = {0, 2000000};
    nanosleep(&moment, NULL);
  }
  const union sigval word = {.sival_int = with};
  CHECK(sigqueue(caller, SIGUSR1, word) == 0);
  _exit(0);
}

static void Handle(int flags) {
  struct sigaction action = {.sa_sigaction = OnUsr1, .sa_flags = SA_SIGINFO | flags};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  handled = 0;
}

static void Ended(pid_t sender, int with) {
  CHECK(handled == 1 && value == with);
  CHECK(ExitOf(sender) == 0);
}

int main(void) {
  char byte;
  int pipe_fds[2];
  int sockets[2];
  CHECK(pipe(pipe_fds) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
  CHECK(mkfifo("fifo", 0600) == 0);

  Handle(0);
  pid_t sender = SendWhenAsleep(1);
  FAILS(read(pipe_fds[0], &byte, 1), EINTR);
  Ended(sender, 1);

  handled = 0;
  sender = SendWhenAsleep(2);
  FAILS(open("fifo", O_RDONLY), EINTR);
  Ended(sender, 2);

  // Made again: the handler writes what it waits for.
  Handle(SA_RESTART);
  to_write = pipe_fds[1];
  sender = SendWhenAsleep(3);
  CHECK(read(pipe_fds[0], &byte, 1) == 1 && byte == 'x');
  Ended(sender, 3);

  handled = 0;
  to_write = sockets[1];
  sender = SendWhenAsleep(4);
  CHECK(recv(sockets[0], &byte, 1, 0) == 1 && byte == 'x');
  Ended(sender, 4);
  to_write = -1;

  // Never made again, whatever SA_RESTART says: signal(7).
  struct pollfd watched = {.fd = pipe_fds[0], .events = POLLIN};
  handled = 0;
  sender = SendWhenAsleep(5);
  FAILS(poll(&watched, 1, -1), EINTR);
  Ended(sender, 5);
  const struct timespec long_time = {1000, 0};
  struct timespec left = {0, 0};
  handled = 0;
  sender = SendWhenAsleep(6);
  FAILS(nanosleep(&long_time, &left), EINTR);
  CHECK(left.tv_sec > 0 && left.tv_sec < 1000);
  Ended(sender, 6);

  // With a mask of the call's own: the handler's frame has the old one, and the old one holds again.
  sigset_t usr1, none, now;
  sigemptyset(&usr1);
  sigemptyset(&none);
  sigaddset(&usr1, SIGUSR1);
  CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
  const int epoll = epoll_create1(0);
  struct epoll_event event;
  for (int call = 0; call < 3; ++call) {
    handled = 0;
    sender = SendWhenAsleep(7 + call);
    if (call == 0) FAILS(ppoll(&watched, 1, NULL, &none), EINTR);
    if (call == 1) FAILS(epoll_pwait(epoll, &event, 1, -1, &none), EINTR);
    if (call == 2) FAILS(sigsuspend(&none), EINTR);
    Ended(sender, 7 + call);
    CHECK(sigismember(&mask_within, SIGUSR1) == 1);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1) == 1);
  }
  // Pending already: it ends the call at once.
  CHECK(raise(SIGUSR1) == 0 && handled == 1);
  FAILS(ppoll(&watched, 1, NULL, &none), EINTR);
  CHECK(handled == 2);
  return Pass();
}
