// A handler runs, knows who sent the signal, and interrupts a blocking call: EINTR, or, with SA_RESTART, not.
#include <poll.h>

#include "tests/guests/guest.h"

static volatile sig_atomic_t count;
static volatile pid_t sender;
static int pipe_fds[2];

static void Handler(int sig, siginfo_t* info, void* context) {
  CHECK(sig == SIGUSR1 && info->si_signo == SIGUSR1 && info->si_code == SI_USER && context != NULL);
  sender = info->si_pid;
  ++count;
}

static void Install(int flags) {
  struct sigaction action = {.sa_sigaction = Handler, .sa_flags = SA_SIGINFO | flags};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

// A child that signals its parent once that one sleeps in the kernel, then writes a byte if asked to.
static pid_t Interrupter(int then_write) {
  const pid_t child = fork();
  if (child != 0) return child;
  char path[64];
  char state = 0;
  snprintf(path, sizeof(path), "/proc/%d/stat", getppid());
  while (state != 'S') {
    char line[512] = "";
    const int fd = open(path, O_RDONLY);
    CHECK(read(fd, line, sizeof(line) - 1) > 0);
    close(fd);
    state = strrchr(line, ')')[2];
  }
  CHECK(kill(getppid(), SIGUSR1) == 0);
  if (then_write) {
    // Only when the handler has run: else the read might end before the signal comes.
    while (access("handled", F_OK) != 0) usleep(1000);
    CHECK(write(pipe_fds[1], "x", 1) == 1);
  }
  _exit(2);
}

static void Mark(int sig) {
  (void)sig;
  ++count;
  close(open("handled", O_CREAT | O_RDWR, 0600));
}

int main(void) {
  char byte;
  CHECK(pipe(pipe_fds) == 0);
  for (int i = 0; i < 10; ++i) {
    Install(0);
    count = 0;
    pid_t child = Interrupter(0);
    // It may find another moment of sleep than this poll's: then the handler has run before, and nothing interrupts it.
    struct pollfd readable = {pipe_fds[0], POLLIN, 0};
    int polled;
    do polled = poll(&readable, 1, 500);
    while (polled == 0 && count == 0);
    CHECK(count == 1 && (polled == 0 || (polled == -1 && errno == EINTR)));
    CHECK(sender == child && ExitOf(child) == 2);
  }
  struct sigaction action = {.sa_handler = Mark, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  for (int i = 0; i < 10; ++i) {
    unlink("handled");
    count = 0;
    const pid_t child = Interrupter(1);
    CHECK(read(pipe_fds[0], &byte, 1) == 1 && byte == 'x');
    CHECK(count == 1 && ExitOf(child) == 2);
  }
  return Pass();
}
