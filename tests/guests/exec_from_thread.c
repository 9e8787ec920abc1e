// execve(2) from a thread: the others are gone, the process keeps its pid and is inside.
#include <dirent.h>
#include <pthread.h>

#include "tests/guests/guest.h"

static char** arguments;

static void* Wait(void* argument) {
  for (;;) pause();
  return argument;
}

static void* Spin(void* argument) {
  for (;;) RawUid();
  return argument;
}

static void* Exec(void* argument) {
  char pid[16];
  snprintf(pid, sizeof(pid), "%d", getpid());
  execl(arguments[0], arguments[0], pid, NULL);
  CHECK(0);
  return argument;
}

int main(int argc, char** argv) {
  if (argc > 1) {
    CheckInside();
    CHECK(getpid() == atoi(argv[1]) && syscall(SYS_gettid) == getpid());
    int tasks = 0;
    DIR* directory = opendir("/proc/self/task");
    for (struct dirent* entry; (entry = readdir(directory)) != NULL;) tasks += entry->d_name[0] != '.';
    CHECK(tasks == 1);
    return Pass();
  }
  arguments = argv;
  pthread_t thread;
  for (int i = 0; i < 3; ++i) CHECK(pthread_create(&thread, NULL, i == 0 ? Spin : Wait, NULL) == 0);
  CHECK(pthread_create(&thread, NULL, Exec, NULL) == 0);
  for (;;) pause();
}
