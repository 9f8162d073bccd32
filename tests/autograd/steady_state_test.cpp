// A training step in steady state asks the system for no memory: every allocation of the process is
// counted, in libraries too.
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "autograd/ops.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "tensor/base/parallel.h"

// A sanitizer has its own malloc; there the counts are not taken.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#define ATHANOR_COUNTS_ALLOCATIONS 1
#endif

namespace {
std::atomic<long> allocations{0};
}

#ifdef ATHANOR_COUNTS_ALLOCATIONS
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(block, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  *block = __libc_memalign(alignment, size);
  return *block ? 0 : ENOMEM;
}
}
#endif

using namespace athanor;

namespace {

// Allocations of `steps` calls of `step`, after some that fill the caches.
template <class F>
long allocations_of(int steps, F step) {
  for (int i = 0; i < 5; ++i) step();
  const long before = allocations.load();
  for (int i = 0; i < steps; ++i) step();
  return allocations.load() - before;
}

Tensor classes(std::int64_t n) {
  Tensor t = empty({n}, DType::i64);
  for (std::int64_t i = 0; i < n; ++i) t.data<std::int64_t>()[i] = i % 10;
  return t;
}

}  // namespace

TEST_CASE("allocations are seen at all") {
#ifdef ATHANOR_COUNTS_ALLOCATIONS
  const long before = allocations.load();
  // Through pointers that the compiler must not look behind, or it leaves the pair out.
  void* volatile block = std::malloc(1);
  std::free(block);
  int* volatile number = new int(1);
  delete number;
  CHECK(allocations.load() - before == 2);
#endif
}

TEST_CASE("300 small operations and their backward pass allocate nothing") {
  Generator generator(1);
  Variable a(random_normal({64}, generator), true);
  CHECK(allocations_of(10, [&] {
          a.zero_grad();
          Variable b = a;
          for (int i = 0; i < 100; ++i) b = relu(b * 1.01 + a);
          sum(b).backward();
        }) == 0);
}

TEST_CASE("a training step of an MLP allocates nothing but lists of parameters") {
  Generator generator(1);
  const auto model = std::make_shared<nn::Sequential>(std::vector<std::shared_ptr<nn::Module>>{
      std::make_shared<nn::Linear>(20, 32, generator), nn::relu_layer(),
      std::make_shared<nn::Linear>(32, 10, generator)});
  auto parameters = model->parameters();
  nn::AdamW optimizer(parameters);
  const Variable x(random_normal({16, 20}, generator));
  const Tensor y = classes(16);
  CHECK(allocations_of(10, [&] {
          for (Variable& p : parameters) p.zero_grad();
          cross_entropy(model->forward(x), y).backward();
          optimizer.step(1e-3);
        }) == 0);
}
