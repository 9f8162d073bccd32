// The pool of threads: every chunk once, errors, nesting, several callers, changing its size.
#include <atomic>
#include <catch2/catch.hpp>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tensor/base/parallel.h"

using namespace athanor;

namespace {

// Ends with one thread for each processor again.
struct Threads {
  explicit Threads(int n) { set_num_threads(n); }
  ~Threads() { set_num_threads(0); }
};

// How often each of `chunks` chunks ran.
std::vector<int> runs_of(std::int64_t chunks) {
  std::vector<std::atomic<int>> counts(static_cast<std::size_t>(chunks));
  parallel_chunks(chunks, [&](std::int64_t i) { ++counts[static_cast<std::size_t>(i)]; });
  return {counts.begin(), counts.end()};
}

}  // namespace

TEST_CASE("each chunk runs once, whatever the number of threads") {
  for (int threads : {1, 2, 3, 8}) {
    const Threads scope(threads);
    CHECK(num_threads() == threads);
    for (std::int64_t chunks : {0, 1, 2, 7, 1000}) {
      CHECK(runs_of(chunks) == std::vector<int>(static_cast<std::size_t>(chunks), 1));
    }
  }
}

TEST_CASE("many short calls in a row, with pauses in which the threads fall asleep") {
  const Threads scope(4);
  std::int64_t total = 0;
  for (int call = 0; call < 2000; ++call) {
    std::atomic<std::int64_t> sum{0};
    parallel_for(100, 10, [&](std::int64_t begin, std::int64_t end) { sum += end - begin; });
    total += sum;
    if (call % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(total == 2000 * 100);
}

TEST_CASE("the exception of a chunk arrives at the caller, and the pool goes on") {
  const Threads scope(3);
  for (int i = 0; i < 20; ++i) {
    CHECK_THROWS_WITH(parallel_chunks(50,
                                      [](std::int64_t chunk) {
                                        if (chunk == 17) throw std::runtime_error("chunk 17");
                                      }),
                      "chunk 17");
  }
  CHECK(runs_of(10) == std::vector<int>(10, 1));
}

TEST_CASE("calls inside a chunk run serially on its thread") {
  const Threads scope(4);
  std::atomic<int> elsewhere{0}, count{0};
  parallel_chunks(8, [&](std::int64_t) {
    const auto here = std::this_thread::get_id();
    parallel_chunks(5, [&](std::int64_t) {
      ++count;
      if (std::this_thread::get_id() != here) ++elsewhere;
    });
  });
  CHECK(count == 40);
  CHECK(elsewhere == 0);
}

TEST_CASE("several threads call at once") {
  const Threads scope(2);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      for (int call = 0; call < 200; ++call) {
        if (runs_of(16) != std::vector<int>(16, 1)) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

TEST_CASE("what set_num_threads takes") {
  CHECK_THROWS_WITH(set_num_threads(-1), Catch::Contains("expected n >= 0, got -1"));
  set_num_threads(0);
  CHECK(num_threads() >= 1);
}
