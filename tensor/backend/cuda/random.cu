// Random numbers: the Philox stream of tensor/random.cpp, word by word. Integers and uniforms have
// the CPU's bits: products and sums are rounded one by one (no fused multiply-add), as there.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/loop.cuh"
#include "tensor/backend/philox.h"
#include "tensor/backend/random_args.h"

namespace athanor::cuda {
namespace {

using Words = athanor::detail::PhiloxBlock;

struct Stream {
  std::uint64_t seed, stream, position;
  std::int64_t count;  // elements of y

  __device__ Words words(std::uint64_t block) const {
    return athanor::detail::philox_block(seed, block, stream);
  }
};

__device__ inline double uniform_from(std::uint32_t word) {
  return static_cast<double>(word >> 8) / 16777216.0;
}

// Box-Muller on one pair of words: (0, 1] for the radius, so that its logarithm is finite.
__device__ inline double normal_from(std::uint32_t radius_word, std::uint32_t angle_word) {
  const double u = (static_cast<double>(radius_word) + 1.0) / 4294967296.0;
  const double v = uniform_from(angle_word);
  constexpr double two_pi = 6.283185307179586476925286766559;
  return __dmul_rn(::sqrt(__dmul_rn(-2.0, ::log(u))), ::cos(__dmul_rn(two_pi, v)));
}

// Calls f(element, word) for each element; a thread takes the four words of a Philox block.
template <class F>
__device__ inline void for_words(const Stream& s, const F& f) {
  const std::uint64_t first = s.position / 4, count = static_cast<std::uint64_t>(s.count);
  const std::uint64_t blocks = (s.position + count - 1) / 4 - first + 1;
  for (std::uint64_t b = static_cast<std::uint64_t>(grid_thread()); b < blocks;
       b += static_cast<std::uint64_t>(grid_threads())) {
    const Words words = s.words(first + b);
    for (std::uint64_t lane = 0; lane < 4; ++lane) {
      const std::uint64_t i = (first + b) * 4 + lane - s.position;  // wraps before the first word
      if (i < count) f(i, words.lane[lane]);
    }
  }
}

template <class T>
__global__ void uniform(Stream s, double low, double width, T* y) {
  for_words(s, [&](std::uint64_t i, std::uint32_t word) {
    const double value = __dadd_rn(low, __dmul_rn(width, uniform_from(word)));
    y[i] = narrow<T>(static_cast<compute_t<T>>(value));
  });
}

__global__ void bernoulli(Stream s, std::uint64_t threshold, bool* y) {
  for_words(s, [&](std::uint64_t i, std::uint32_t word) { y[i] = word < threshold; });
}

// An element takes two words, which lie in one block unless the position is odd.
template <class T>
__global__ void normal(Stream s, double mean, double stddev, T* y) {
  for (std::int64_t i = grid_thread(); i < s.count; i += grid_threads()) {
    const std::uint64_t at = s.position + 2 * static_cast<std::uint64_t>(i);
    const Words words = s.words(at / 4);
    const Words next = at % 4 == 3 ? s.words(at / 4 + 1) : words;
    const double z = normal_from(words.lane[at % 4], next.lane[(at + 1) % 4]);
    const double value = __dadd_rn(mean, __dmul_rn(stddev, z));
    y[i] = narrow<T>(static_cast<compute_t<T>>(value));
  }
}

}  // namespace

void random(const RandomArgs& args) {
  const Stream s{args.seed, args.stream, args.position, args.y.numel()};
  if (s.count == 0) return;
  const Dim3 grid = grid_for(args.kind == RandomKind::normal ? s.count : s.count / 4 + 1);
  if (args.kind == RandomKind::bernoulli) {
    return launch_kernel(bernoulli, grid, Dim3{kBlock}, 0, current_stream(), s, args.threshold,
                         args.y.as<bool>());
  }
  visit_real(args.y.dtype, [&]<class T>(Tag<T>) {
    if (args.kind == RandomKind::uniform) {
      launch_kernel(uniform<T>, grid, Dim3{kBlock}, 0, current_stream(), s, args.a, args.b - args.a,
                    args.y.as<T>());
    } else {
      launch_kernel(normal<T>, grid, Dim3{kBlock}, 0, current_stream(), s, args.a, args.b,
                    args.y.as<T>());
    }
  });
}

}  // namespace athanor::cuda
