// Runs a program so many times, each in a directory of its own, and then becomes it, in one more: what the session
// learns of the program by then holds for the run that counts. The others are not heard.
//
//   again N PROGRAM [ARGUMENT...]
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void Enter(const char* directory) {
  if (mkdir(directory, 0755) == 0 && chdir(directory) == 0) return;
  perror(directory);
  exit(126);
}

int main(int argc, char** argv) {
  if (argc < 3) return 126;
  for (int run = atoi(argv[1]); run > 0; --run) {
    Enter("run");
    const pid_t child = fork();
    if (child == 0) {
      const int nowhere = open("/dev/null", O_WRONLY);
      if (nowhere < 0 || dup2(nowhere, 1) < 0 || dup2(nowhere, 2) < 0 || close(nowhere) != 0) _exit(126);
      execv(argv[2], argv + 2);
      _exit(126);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return 126;
  }
  Enter("run");
  execv(argv[2], argv + 2);
  perror(argv[2]);
  return 126;
}
