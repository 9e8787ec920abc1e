#include "tests/differential/cases.h"
#include "tests/support/stage.h"

namespace guise::tests {
namespace {

constexpr char kSources[] = R"sh(
cat > main.cc <<'END'
#include <iostream>
#include <map>
#include <string>
#include <thread>
int part();
int main(int argc, char** argv) {
  std::map<std::string, int> m{{"a", 1}, {"b", 2}};
  std::thread t([&] { m["c"] = part(); });
  t.join();
  for (auto& [k, v] : m) std::cout << k << v << (argc > 1 ? argv[1] : "") << "\n";
  try { throw m.size(); } catch (std::size_t n) { return static_cast<int>(n); }
}
END
cat > part.cc <<'END'
#include <unistd.h>
int part() { return getpid() > 0 ? 3 : 4; }
END
printf 'all: app\napp: main.o part.o\n\tg++ -o $@ $^\n%%.o: %%.cc\n\tg++ -O1 -c -o $@ $<\n.PHONY: all\n' > Makefile
)sh";

}  // namespace

std::vector<Differential> BuildCases() {
  std::vector<Differential> cases;
  cases.push_back(Script("gcc_compile_and_run", R"sh(
printf '#include <stdio.h>\nint main(void) { puts("compiled"); return 3; }\n' > a.c
gcc -O2 -o a a.c && ./a; echo $?; gcc -static -o s a.c && ./s; echo $?; gcc -static-pie -o p a.c && ./p; echo $?
gcc -no-pie -o n a.c && ./n; echo $?; gcc -c bad.c 2> /dev/null; echo $?; gcc -shared -fPIC -o l.so a.c && ls
)sh",
                         {"gcc"}));
  cases.push_back(
      Script("gxx_compile_and_run", "g++ -O2 -o app main.cc part.cc && ./app x; echo $?", {"g++"}, kSources));
  cases.push_back(Script("make_with_two_jobs",
                         "make -j2 | sort && ./app; echo $?; make; touch part.cc; make -j2 -s; rm -f *.o",
                         {"make", "g++"}, kSources));
  cases.push_back(Script("make_of_many_small_things", R"sh(
printf 'all: $(addprefix t,$(shell seq 40))\nt%%:\n\t@echo $* > $@; test -s $@\n' > Makefile; make -j2 && cat t40 && ls | wc -l
printf 'all: a b\na:\n\t@false\nb:\n\t@true\n' > Makefile; make -k -j2 2> /dev/null; echo $?
)sh",
                         {"make"}));
  cases.push_back(Script("musl_static_program", R"sh(
printf '#include <stdio.h>\n#include <unistd.h>\n#include <sys/wait.h>\nint main(void) { int s; if (!fork()) return 4; wait(&s); printf("child %%d\\n", WEXITSTATUS(s)); return 6; }\n' > m.c
musl-gcc -static -o m m.c && ./m; echo $?; musl-gcc -o d m.c && ./d; echo $?
)sh",
                         {"musl-gcc"}));
  Differential go;
  go.name = "static_go_program";
  go.argv = {"sh", "-c", "GUEST_UID=$(id -u) ./go_program; echo $?"};
  go.setup = "cp '" + Stage::Get().Guest("tests/guests/go_guest.elf") + "' go_program";
  cases.push_back(go);
  cases.push_back(Script("dpkg_deb_builds_a_package", R"sh(
mkdir -p p/DEBIAN p/usr/bin; printf 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: x\n' > p/DEBIAN/control
echo hi > p/usr/bin/x; SOURCE_DATE_EPOCH=1 dpkg-deb --root-owner-group -b p x.deb > /dev/null; dpkg-deb -c x.deb | awk '{ print $1, $2, $6 }'; dpkg-deb -I x.deb | grep Version; rm x.deb
)sh",
                         {"dpkg-deb"}));
  return cases;
}

}  // namespace guise::tests
