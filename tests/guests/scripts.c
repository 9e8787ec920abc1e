// `#!` scripts as Linux runs them: with an argument, nested, by a relative interpreter, without a newline, cut at 255
// bytes; what the interpreter is given.
#include "tests/guests/guest.h"

extern char** environ;

static void Script(const char* name, const char* first, const char* argument, const char* rest) {
  FILE* file = fopen(name, "w");
  CHECK(file != NULL);
  fprintf(file, "#!%s%s%s", first, argument, rest);
  CHECK(fclose(file) == 0 && chmod(name, 0700) == 0);
}

static int Exec(const char* path, const char* argument) {
  const pid_t child = fork();
  if (child == 0) {
    char* const arguments[] = {"zeroth", (char*)argument, NULL};
    execve(path, arguments, environ);
    _exit(errno == ENOENT ? 101 : errno == ELOOP ? 102 : errno == EACCES ? 103 : 104);
  }
  return ExitOf(child);
}

// The interpreter of all: shows what it was given by its exit code.
static int Interpret(int argc, char** argv) {
  CheckInside();
  CHECK(strcmp(argv[argc - 1], "given") == 0);
  const char* const want = getenv("WANT");
  char got[4096] = "";
  for (int i = 1; i < argc - 1; ++i) {
    strcat(got, "[");
    strcat(got, argv[i]);
    strcat(got, "]");
  }
  if (strcmp(got, want) != 0) fprintf(stderr, "wanted %s, got %s\n", want, got);
  return strcmp(got, want) == 0 ? 42 : 1;
}

int main(int argc, char** argv) {
  if (getenv("WANT") != NULL) return Interpret(argc, argv);
  const char* const self = "./self";  // the path of the guest may hold blanks, which end an interpreter's name
  char command[8192];
  snprintf(command, sizeof(command), "cp '%s' self", argv[0]);
  CHECK(system(command) == 0);
  Script("plain", self, "", "\nrest\n");
  Script("argument", self, " -x", "\n");
  Script("blanks", "  ./self", "\t two  words  ", "\n");
  Script("bare", self, "", "");
  Script("nested", "./argument", " -y", "\n");
  Script("loop", "./loop", "", "\n");
  char filler[400];
  memset(filler, 'f', sizeof(filler) - 1);
  filler[sizeof(filler) - 1] = '\0';
  Script("long argument", self, " ", filler);
  filler[0] = '/';
  Script("long interpreter", filler, "", "\n");
  setenv("WANT", "[./plain]", 1);
  CHECK(Exec("./plain", "given") == 42);
  setenv("WANT", "[-x][./argument]", 1);
  CHECK(Exec("./argument", "given") == 42);
  setenv("WANT", "[two  words][./blanks]", 1);
  CHECK(Exec("./blanks", "given") == 42);
  setenv("WANT", "[./bare]", 1);
  CHECK(Exec("./bare", "given") == 42);
  setenv("WANT", "[-x][./argument][-y][./nested]", 1);
  CHECK(Exec("./nested", "given") == 42);
  CHECK(Exec("./loop", "given") == 102);
  // The kernel looks at 255 bytes: "#!./self " and 246 of the argument.
  char want[512];
  filler[0] = 'f';
  snprintf(want, sizeof(want), "[%.*s][./long argument]", 255 - 9, filler);
  setenv("WANT", want, 1);
  CHECK(Exec("./long argument", "given") == 42);
  CHECK(Exec("./long interpreter", "given") == 104);
  return Pass();
}
