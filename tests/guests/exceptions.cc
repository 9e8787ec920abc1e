// C++: exceptions unwind through frames, threads and a signal handler's interruption; iostreams and futures work.
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

volatile sig_atomic_t alarms = 0;

int Deep(int depth) {
  const std::unique_ptr<std::string> owned = std::make_unique<std::string>(static_cast<std::size_t>(depth), 'x');
  if (depth == 0) throw std::runtime_error("bottom " + std::to_string(getuid()));
  return Deep(depth - 1) + static_cast<int>(owned->size());
}

std::string Thrown() {
  try {
    Deep(50);
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing";
}

}  // namespace

int main() {
  const std::string expected = std::string("bottom ") + std::getenv("GUEST_UID");
  signal(SIGALRM, [](int) { alarms = alarms + 1; });
  const itimerval every = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &every, nullptr);
  while (alarms < 100) {
    if (Thrown() != expected) return 1;
  }
  std::vector<std::future<std::string>> futures;
  for (int i = 0; i < 16; ++i) futures.push_back(std::async(std::launch::async, Thrown));
  std::map<std::string, int> results;
  for (auto& future : futures) ++results[future.get()];
  if (results.size() != 1 || results[expected] != 16) return 2;
  std::cout << "pass" << std::endl;
  return 0;
}
