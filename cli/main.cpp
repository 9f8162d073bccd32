// The command `athanor`.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "cli/run.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

// A table of 10,000 messages is refined in 0.1 s, of which a tenth went to the 7,000 pages that the
// kernel hands out one by one. The heap's first 32 MB are asked for at once, as huge pages that it
// hands out 512 pages at a time when they are first used; what is freed is kept, and only larger
// blocks are the kernel's own.
void reserve_heap() {
#if defined(__GLIBC__) && defined(MADV_HUGEPAGE) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
  constexpr int kMega = 1 << 20;
  mallopt(M_MMAP_THRESHOLD, 32 * kMega);
  mallopt(M_TRIM_THRESHOLD, 64 * kMega);
  mallopt(M_TOP_PAD, 32 * kMega);
  const auto before = reinterpret_cast<std::uintptr_t>(sbrk(0));
  void* volatile block = std::malloc(kMega);  // more than what is left: the heap grows
  std::free(block);
  mallopt(M_TOP_PAD, kMega);
  const auto behind = reinterpret_cast<std::uintptr_t>(sbrk(0));
  constexpr std::uintptr_t kHuge = 2 * kMega;
  const std::uintptr_t begin = (before + kHuge - 1) / kHuge * kHuge;
  // Refused where there are none: then pages come one by one.
  if (begin < behind) (void)madvise(reinterpret_cast<void*>(begin), behind - begin, MADV_HUGEPAGE);
#endif
}

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
  reserve_heap();
  return athanor::cli::run(argc, argv);
}
