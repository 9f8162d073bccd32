// Elementwise loops over strided operands, for the kernels whose results are elements of their own
// inputs' elements.
//
// The host plans (tensor/backend/elementwise.h) and cuts tensors of 2^31 elements and more, so that
// the device counts in 32 bits, divides by multiplication and adds 64-bit offsets. Where the inner
// axis lies side by side, threads take packs of V neighbours.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "tensor/backend/cuda/element.cuh"
#include "tensor/backend/cuda/launch.h"
#include "tensor/backend/elementwise.h"

namespace athanor::cuda {

inline constexpr unsigned kBlock = 256;  // threads of a block, where nothing speaks for another

// Quotients by a fixed divisor, for dividends below 2^31 (Granlund and Montgomery, PLDI 1994).
struct Divider {
  unsigned divisor = 1, multiplier = 1, shift = 0;

  Divider() = default;
  explicit Divider(unsigned d) : divisor(d) {
    while (shift < 32 && (1ull << shift) < d) ++shift;
    multiplier = static_cast<unsigned>(((1ull << 32) * ((1ull << shift) - d)) / d + 1);
  }
  __device__ unsigned quotient(unsigned n) const { return (__umulhi(n, multiplier) + n) >> shift; }
};

// n / d for n >= 0, d > 0: 32-bit where that is enough, which is several times as fast.
__device__ inline std::int64_t quotient(std::int64_t n, std::int64_t d) {
  if ((n | d) >> 32) return n / d;
  return static_cast<unsigned>(n) / static_cast<unsigned>(d);
}

// N operands; operand 0 is written. Strides in elements.
template <int N>
struct Loop {
  unsigned count = 0;  // packs, or single elements
  unsigned tail = 0;   // single elements after the packs (only where all lie side by side)
  bool packed = false;
  bool scalar[N] = {};  // packed: the inner stride is 0, one element serves the pack
  int rank = 0;
  Divider sizes[kMaxRank];
  std::int64_t strides[kMaxRank][N];

  std::int64_t items() const { return count > tail ? count : tail; }
  __device__ void offsets(unsigned index, std::int64_t (&at)[N]) const {
    for (int k = 0; k < N; ++k) at[k] = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      const unsigned next = axis > 0 ? sizes[axis].quotient(index) : 0;
      const std::int64_t i = index - next * sizes[axis].divisor;
      for (int k = 0; k < N; ++k) at[k] += i * strides[axis][k];
      index = next;
    }
  }
};

// Threads of a grid that keeps the device busy without exceeding the work.
inline Dim3 grid_for(std::int64_t items, unsigned block = kBlock) {
  const std::int64_t wanted = (items + block - 1) / block;
  const std::int64_t most = std::int64_t{device_limits().multiprocessors} * 32;
  return Dim3{static_cast<unsigned>(wanted < most ? (wanted > 0 ? wanted : 1) : most)};
}

// Plans a loop in packs of V elements where strides and addresses allow. `sizes[k]` is operand k's
// element size in bytes.
template <int N>
Loop<N> make_loop(const LoopPlan<N>& plan, int V, const std::array<const void*, N>& data,
                  const std::array<std::int64_t, N>& sizes) {
  Loop<N> loop;
  loop.rank = plan.rank;
  const std::int64_t inner = plan.inner_size();
  loop.packed = plan.rank > 0 && (inner % V == 0 || plan.rank == 1) && inner >= V;
  for (int k = 0; k < N && loop.packed; ++k) {
    const std::int64_t stride = plan.inner_stride(k), bytes = V * sizes[k];
    loop.scalar[k] = stride == 0 && k > 0;
    if (loop.scalar[k]) continue;
    loop.packed = stride == 1 && reinterpret_cast<std::uintptr_t>(data[k]) % bytes == 0;
    for (int axis = 0; axis + 1 < plan.rank; ++axis) {
      loop.packed = loop.packed && plan.strides[axis][k] % V == 0;
    }
  }
  std::int64_t count = 1;
  for (int axis = 0; axis < plan.rank; ++axis) {
    const bool packs = loop.packed && axis + 1 == plan.rank;
    const std::int64_t size = packs ? plan.sizes[axis] / V : plan.sizes[axis];
    if (packs) loop.tail = static_cast<unsigned>(plan.sizes[axis] % V);
    count *= size;
    loop.sizes[axis] = Divider(static_cast<unsigned>(size));
    for (int k = 0; k < N; ++k) loop.strides[axis][k] = plan.strides[axis][k] * (packs ? V : 1);
  }
  loop.count = static_cast<unsigned>(count);
  return loop;
}

// Elements of one launch at most: what 32-bit indices count, with room for the grid's stride.
inline constexpr std::int64_t kLoopLimit = std::int64_t{1} << 30;

namespace detail {

template <int V, int N, std::size_t... I, class F, class... T>
void for_each_loop(LoopPlan<N> plan, std::index_sequence<I...> operands, F& f, T*... data) {
  std::int64_t count = 1;
  int longest = 0;
  for (int axis = 0; axis < plan.rank; ++axis) {
    count *= plan.sizes[axis];
    if (plan.sizes[axis] > plan.sizes[longest]) longest = axis;
  }
  if (count == 0) return;
  if (count <= kLoopLimit) {
    return f(make_loop<N>(plan, V, {data...}, {std::int64_t{sizeof(T)}...}), data...);
  }
  const std::int64_t size = plan.sizes[longest];
  const std::int64_t half = size >= 2 * V ? size / 2 / V * V : size / 2;
  plan.sizes[longest] = half;
  for_each_loop<V>(plan, operands, f, data...);
  plan.sizes[longest] = size - half;
  for_each_loop<V>(plan, operands, f, (data + half * plan.strides[longest][I])...);
}

}  // namespace detail

// Calls f(loop, y, x...) for the whole plan, or for pieces of it that are small enough; y and x are
// the first elements of the operands, the one that is written first.
template <int V, int N, class F, class Y, class... X>
void for_each_loop(const LoopPlan<N>& plan, F&& f, Y* y, const X*... x) {
  static_assert(N == 1 + sizeof...(X));
  detail::for_each_loop<V>(plan, std::make_index_sequence<N>{}, f, y, x...);
}

// Starts kernel(loop, args...) with a thread an item, or as many as the device holds.
template <int N, class... Params, class... Args>
void launch_loop(const Loop<N>& loop, void (*kernel)(Params...), Args... args) {
  launch_kernel(kernel, grid_for(loop.items()), Dim3{kBlock}, 0, current_stream(), loop, args...);
}

namespace detail {

template <int V, class T>
__device__ inline Pack<T, V> load_operand(const T* from, bool scalar) {
  if (!scalar) return load_pack<V>(from);
  Pack<T, V> pack;
  const T value = *from;
  for (int i = 0; i < V; ++i) pack.v[i] = value;
  return pack;
}

template <int V, class F, class Z, class... X>
__device__ inline void map_pack(const F& f, Z* z, const Pack<X, V>&... x) {
  Pack<Z, V> out;
#pragma unroll
  for (int i = 0; i < V; ++i) out.v[i] = f(x.v[i]...);
  store_pack<V>(z, out);
}

template <int V, int N, class F, class Z, std::size_t... I, class... X>
__device__ inline void map_loop(const Loop<N>& loop, const F& f, std::index_sequence<I...>, Z* z,
                                const X*... x) {
  const unsigned threads = gridDim.x * blockDim.x;
  const unsigned self = blockIdx.x * blockDim.x + threadIdx.x;
  std::int64_t at[N];
  if (loop.packed) {
    for (unsigned i = self; i < loop.count; i += threads) {
      loop.offsets(i, at);
      map_pack<V>(f, z + at[0], load_operand<V>(x + at[I + 1], loop.scalar[I + 1])...);
    }
    if (self >= loop.tail) return;
    const std::int64_t last = static_cast<std::int64_t>(loop.count) * V + self;
    z[last] = f(x[loop.scalar[I + 1] ? 0 : last]...);
    return;
  }
  for (unsigned i = self; i < loop.count; i += threads) {
    loop.offsets(i, at);
    z[at[0]] = f(x[at[I + 1]]...);
  }
}

}  // namespace detail

// z = f(x...) over the loop; f takes and gives elements.
template <int V, int N, class F, class Z, class... X>
__device__ inline void map(const Loop<N>& loop, const F& f, Z* z, const X*... x) {
  static_assert(N == 1 + sizeof...(X));
  detail::map_loop<V>(loop, f, std::index_sequence_for<X...>{}, z, x...);
}

}  // namespace athanor::cuda
