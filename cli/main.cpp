// The command `athanor`.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "cli/run.h"

namespace {

// OpenMP's threads wait for the next loop by spinning for milliseconds. When another process wants
// the cores, that makes training several times slower, so the command limits it, unless the
// environment says otherwise. libgomp reads its settings when it is loaded, before main: hence the
// second start of the same process.
void limit_spinning(int argc, char** argv) {
  for (const char* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}) {
    if (std::getenv(name)) return;
  }
  // One thread waits for nobody.
  for (int k = 1; k < argc; ++k) {
    if (std::strcmp(argv[k], "--threads=1") == 0) return;
    const bool next = std::strcmp(argv[k], "--threads") == 0 && k + 1 < argc;
    if (next && std::strcmp(argv[k + 1], "1") == 0) return;
  }
  setenv("GOMP_SPINCOUNT", "3000", 0);  // iterations: a few microseconds
  execv("/proc/self/exe", argv);        // returns only when it fails: then spinning stays
}

}  // namespace

int main(int argc, char** argv) {
  limit_spinning(argc, argv);
  return athanor::cli::run(argc, argv);
}
