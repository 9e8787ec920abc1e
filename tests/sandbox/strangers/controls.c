// What ordinary programs need, and a sandbox must leave them.
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include "tests/sandbox/strangers/strangers.h"

static int ControlMappedFile(void) {
  const int fd = open(Text("%s/map", Scratch()), O_CREAT | O_RDWR, 0600);
  CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
  char* const map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char byte = 0;
  CHECK(map != MAP_FAILED);
  map[5000] = 'x';
  return msync(map, 8192, MS_SYNC) == 0 && pread(fd, &byte, 1, 5000) == 1 && byte == 'x' &&
         fallocate(fd, 0, 0, 16384) == 0;
}
static int ControlTerminal(void) {
  int master, slave;
  char text[8] = "", name[64];
  return openpty(&master, &slave, name, NULL, NULL) == 0 && write(slave, "hello", 5) == 5 &&
         read(master, text, 5) == 5 && strcmp(text, "hello") == 0 && isatty(slave) && setsid() > 0 &&
         ioctl(slave, TIOCSCTTY, 0) == 0 && open("/dev/tty", O_RDWR) >= 0 && ptsname(master) != NULL &&
         open(name, O_RDWR | O_NOCTTY) >= 0;
}
static int ControlSharedFile(void) {
  const int fd = shm_open("/stranger", O_CREAT | O_EXCL | O_RDWR, 0600);
  return fd >= 0 && ftruncate(fd, 4096) == 0 && shm_unlink("/stranger") == 0;
}
static int ControlSystemV(void) {
  const int memory = shmget(IPC_PRIVATE, 4096, 0600), semaphore = semget(IPC_PRIVATE, 1, 0600);
  const int messages = msgget(IPC_PRIVATE, 0600);
  CHECK(memory >= 0 && semaphore >= 0 && messages >= 0);
  int* const attached = shmat(memory, NULL, 0);
  struct sembuf up = {0, 1, 0};
  const int works = attached != (void*)-1 && (*attached = 1) == 1 && semop(semaphore, &up, 1) == 0;
  shmctl(memory, IPC_RMID, NULL);
  semctl(semaphore, 0, IPC_RMID);
  msgctl(messages, IPC_RMID, NULL);
  return works;
}
static int ControlQueue(void) {
  const mqd_t queue = mq_open("/stranger", O_CREAT | O_RDWR, 0600, NULL);
  if (queue < 0) perror("mq_open");
  return queue >= 0 && mq_send(queue, "x", 1, 0) == 0 && mq_unlink("/stranger") == 0;
}
static int ControlEvents(void) {
  const int epoll = epoll_create1(0), event = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
  const struct itimerspec soon = {.it_value.tv_nsec = 1000000};
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  const int signals = signalfd(-1, &set, 0);
  const int fds[] = {event, timer, signals};
  struct epoll_event ready;
  for (int i = 0; i < 3; ++i) {
    struct epoll_event interest = {.events = EPOLLIN};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &interest) == 0);
  }
  return eventfd_write(event, 1) == 0 && epoll_wait(epoll, &ready, 1, 1000) == 1 && kill(getpid(), SIGUSR1) == 0 &&
         timerfd_settime(timer, 0, &soon, NULL) == 0 && usleep(5000) == 0 && epoll_wait(epoll, &ready, 1, 1000) == 1;
}
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int counted;
static void* Counts(void* unused) {
  for (int i = 0; i < 1000; ++i) {
    pthread_mutex_lock(&mutex);
    ++counted;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
  }
  return unused;
}
static int ControlThreads(void) {
  pthread_t threads[8];
  for (int i = 0; i < 8; ++i) CHECK(pthread_create(&threads[i], NULL, Counts, NULL) == 0);
  pthread_mutex_lock(&mutex);
  while (counted < 4000) pthread_cond_wait(&condition, &mutex);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 8; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  return counted == 8000;
}
static int ControlPassing(void) {
  int ends[2], passed = -1;
  char byte = 'x', space[CMSG_SPACE(sizeof(int))] = "";
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &ends[0], sizeof(int));
  if (sendmsg(ends[0], &message, 0) != 1 || recvmsg(ends[1], &message, 0) != 1) return 0;
  memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
  return passed > 2 && write(passed, "y", 1) == 1 && read(ends[1], &byte, 1) == 1 && byte == 'y';
}
static int ControlShell(void) {
  return system("cd /tmp && echo 3 | (read -r n; exit $((n + 4)))") == 7 << 8 &&
         system("ls -l /usr/bin/env > /dev/null") == 0;
}
static int ControlAwk(void) {
  return system("awk 'BEGIN { exit 5 }'") == 5 << 8 &&
         system("find /etc -maxdepth 1 -name passwd | grep -q passwd") == 0;
}
static int ControlSpawn(void) {
  pid_t kid;
  char* const arguments[] = {"true", NULL};
  return posix_spawnp(&kid, "true", NULL, NULL, arguments, environ) == 0 && ExitOf(kid) == 0;
}
static volatile sig_atomic_t alarms;
static void OnAlarm(int number) { alarms += number == SIGUSR1 || number == SIGVTALRM || number == SIGUSR2; }
static int ControlTimers(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  const struct itimerspec soon = {.it_value.tv_nsec = 1000000};
  signal(SIGUSR1, OnAlarm);
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0);
  usleep(50000);
  return alarms == 1;
}
static int ControlInotify(void) {
  const char* const scratch = Scratch();
  char event[512];
  const int fd = inotify_init1(0);
  return inotify_add_watch(fd, scratch, IN_CREATE) >= 0 && mkdir(Text("%s/new", scratch), 0700) == 0 &&
         read(fd, event, sizeof(event)) > 0;
}
static int ControlRandom(void) {
  char bytes[16];
  return getrandom(bytes, 16, 0) == 16 && read(open("/dev/urandom", O_RDONLY), bytes, 16) == 16 &&
         write(open("/dev/full", O_WRONLY), bytes, 1) < 0 && errno == ENOSPC;
}
static int ControlLocks(void) {
  const int fd = open(Text("%s/lock", Scratch()), O_CREAT | O_RDWR, 0600);
  struct flock lock = {.l_type = F_WRLCK};
  return flock(fd, LOCK_EX) == 0 && fcntl(fd, F_SETLK, &lock) == 0 && fcntl(fd, F_OFD_SETLK, &lock) < 0;
}
static int ControlSignals(void) {
  signal(SIGUSR2, OnAlarm);
  const pid_t kid = Kid();
  if (kid == 0) return setpgid(0, 0) != 0 || pause();
  setpgid(kid, kid);
  return raise(SIGUSR2) == 0 && alarms == 1 && kill(-kid, SIGTERM) == 0 && ExitOf(kid) == 128 + SIGTERM;
}
static int ControlDescriptors(void) {
  const pid_t kid = Kid();
  if (kid == 0) return pause();
  const int fd = (int)syscall(SYS_pidfd_open, kid, 0);
  return fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0 && ExitOf(kid) == 128 + SIGTERM;
}
static int ControlInput(void) {
  char byte;
  struct stat status;
  return fstat(0, &status) == 0 && S_ISREG(status.st_mode) && pread(0, &byte, 1, 0) == 1;
}
static int ControlVictimIsRead(void) {
  char byte;
  struct stat status;
  return stat(Victim(), &status) == 0 && read(open(Victim(), O_RDONLY), &byte, 1) == 1 && access(Home(), X_OK) == 0;
}
static int ControlCode(void) {
  unsigned char* const page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(page, "\xb8\7\0\0\0\xc3", 6);
  return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 && ((int (*)(void))(void*)page)() == 7;
}
static int ControlScheduling(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 && sched_setaffinity(0, sizeof(set), &set) == 0 &&
         setpriority(PRIO_PROCESS, 0, 3) == 0 && prctl(PR_SET_NAME, "stranger") == 0 && sched_yield() == 0;
}
static int ControlModes(void) {
  const char* const name = Text("%s/file", Scratch());
  struct stat status;
  const struct timespec times[2] = {{1, 0}, {2, 0}};
  CHECK(close(open(name, O_CREAT | O_WRONLY, 0600)) == 0);
  return chmod(name, 0640) == 0 && utimensat(AT_FDCWD, name, times, 0) == 0 && stat(name, &status) == 0 &&
         status.st_mtime == 2 && link(name, Text("%s.2", name)) == 0 && rename(name, Text("%s.3", name)) == 0 &&
         symlink("x", name) == 0 && mkfifo(Text("%s.4", name), 0600) == 0;
}
static int ControlNamelessFile(void) {
  const int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  return fd >= 0 &&
         linkat(AT_FDCWD, Text("/proc/self/fd/%d", fd), AT_FDCWD, Text("%s/x", Scratch()), AT_SYMLINK_FOLLOW) == 0;
}
static int ControlUnixServer(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", Scratch());
  const int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  return bind(server, (void*)&address, sizeof(address)) == 0 && listen(server, 1) == 0 &&
         connect(client, (void*)&address, sizeof(address)) == 0 && accept(server, NULL, NULL) >= 0;
}
static int ControlOwnFacts(void) {
  char target[256];
  FILE* const maps = fopen("/proc/self/maps", "r");
  const int fd = open("/proc/self/comm", O_WRONLY);
  return maps != NULL && fd >= 0 && write(fd, "named", 5) == 5 &&
         readlink("/proc/self/exe", target, sizeof(target)) > 0;
}

const struct Way kControls[] = {WAY(ControlMappedFile),
                                WAY(ControlTerminal),
                                WAY(ControlSharedFile),
                                WAY(ControlSystemV, "System V IPC"),
                                WAY(ControlQueue, "message queues"),
                                WAY(ControlEvents),
                                WAY(ControlThreads),
                                WAY(ControlPassing),
                                WAY(ControlShell),
                                WAY(ControlAwk),
                                WAY(ControlSpawn),
                                WAY(ControlTimers),
                                WAY(ControlInotify),
                                WAY(ControlRandom),
                                WAY(ControlLocks),
                                WAY(ControlSignals),
                                WAY(ControlDescriptors),
                                WAY(ControlInput),
                                WAY(ControlVictimIsRead),
                                WAY(ControlCode),
                                WAY(ControlScheduling),
                                WAY(ControlModes),
                                WAY(ControlNamelessFile),
                                WAY(ControlUnixServer),
                                WAY(ControlOwnFacts),
                                {NULL, NULL, NULL}};
