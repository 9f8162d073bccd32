// Groups of threads that work on one row together: a part of a warp (1, 2, 4 ... 32 lanes) or a
// whole block. Which one is chosen by the row's length and is the same for all threads of a launch.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "tensor/backend/cuda/element.cuh"
#include "tensor/backend/cuda/launch.h"
#include "tensor/backend/cuda/loop.cuh"
#include "tensor/backend/rows.h"

namespace athanor::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

// The least value of A, minus infinity where it has that.
template <class A>
inline constexpr A kLowest = std::numeric_limits<A>::has_infinity
                                 ? static_cast<A>(-std::numeric_limits<A>::infinity())
                                 : std::numeric_limits<A>::lowest();

// Joins of two values; `identity` is the value that joins with any other to that one.
template <class A>
struct Sum {
  static __device__ A identity() { return A(0); }
  static __device__ A join(A a, A b) { return static_cast<A>(a + b); }
};
template <class A>
struct Max {  // NaN wins
  static __device__ A identity() {
    constexpr A lowest = kLowest<A>;
    return lowest;
  }
  static __device__ A join(A a, A b) { return a != a ? a : (b != b || b > a ? b : a); }
};

// The value of the lane whose number differs in `bits`; values of two members bring their own
// shuffle_xor.
template <class A>
__device__ inline A shuffle_xor(A value, int bits) {
  return static_cast<A>(__shfl_xor_sync(kAllLanes, value, bits));
}

// Threads of a block at most, where a block takes a row. Kernels that launch_rows starts say so in
// their launch bounds: with more registers than the bound allows a launch would be refused.
inline constexpr unsigned kMostGroup = 512;

// The shape of a launch over rows.
struct GroupPlan {
  int threads = 1;  // of a group: at most a warp, or the block
  unsigned block = kBlock;
  unsigned grid = 1;
};

// `interleaved`: neighbouring rows, not the elements of one, lie side by side in memory; a thread a
// row then reads whole lines.
inline GroupPlan plan_groups(std::int64_t rows, std::int64_t n, bool interleaved) {
  GroupPlan plan;
  if (interleaved && (n <= 64 || rows >= 4096)) {
    plan.threads = 1;
  } else if (n <= 1024) {
    // A few elements a lane; short rows share a warp.
    while (plan.threads < kWarp && plan.threads * 4 < n) plan.threads *= 2;
  } else {
    plan.block = n <= 4096 ? 256 : kMostGroup;
    plan.threads = static_cast<int>(plan.block);
  }
  const std::int64_t groups = plan.block / static_cast<unsigned>(plan.threads);
  plan.grid = grid_for((rows + groups - 1) / groups, 1).x;
  return plan;
}

// A thread's view of its group.
class Group {
 public:
  __device__ explicit Group(int threads) : threads_(threads) {}

  __device__ int size() const { return threads_; }
  __device__ int rank() const { return static_cast<int>(threadIdx.x) & (threads_ - 1); }
  // The first row of the block's groups, that of this one, and how far the next ones are.
  __device__ std::int64_t block_row() const {
    return static_cast<std::int64_t>(blockIdx.x) * (blockDim.x >> shift());
  }
  __device__ std::int64_t first_row() const { return block_row() + (threadIdx.x >> shift()); }
  __device__ std::int64_t row_step() const {
    return static_cast<std::int64_t>(gridDim.x) * (blockDim.x >> shift());
  }

  // Waits for the group's threads; what they wrote can be read afterwards.
  __device__ void sync() const {
    if (threads_ > kWarp) {
      __syncthreads();
    } else {
      __syncwarp();
    }
  }

  // The join of every thread's `value`, for all threads of the group. Every thread of the block
  // calls it equally often. The order of joins is fixed.
  template <class Join, class A>
  __device__ A all(A value) const {
    const int lanes = threads_ < kWarp ? threads_ : kWarp;
    for (int offset = lanes / 2; offset > 0; offset /= 2) {
      value = Join::join(value, shuffle_xor(value, offset));
    }
    if (threads_ <= kWarp) return value;
    static_assert(sizeof(A) <= sizeof(uint4));
    A* partial = reinterpret_cast<A*>(scratch());
    __syncthreads();  // the scratch memory may still be read
    const int warp = static_cast<int>(threadIdx.x) / kWarp,
              lane = static_cast<int>(threadIdx.x) % kWarp;
    if (lane == 0) partial[warp] = value;
    __syncthreads();
    A total = lane < threads_ / kWarp ? partial[lane] : Join::identity();
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
      total = Join::join(total, shuffle_xor(total, offset));
    }
    return total;
  }

 private:
  // A group has a power of two of threads.
  __device__ int shift() const { return __popc(static_cast<unsigned>(threads_) - 1); }
  static __device__ uint4* scratch() {
    __shared__ uint4 words[kWarp];
    return words;
  }
  int threads_;
};

// Rows of N operands whose leading axes agree: what rows_of (tensor/backend/rows.h) is on the host.
template <int N>
struct DeviceRows {
  int rank = 0;
  std::int64_t count = 1;
  std::int64_t sizes[kMaxRank], strides[kMaxRank][N];

  __device__ void offsets(std::int64_t row, std::int64_t (&at)[N]) const {
    for (int k = 0; k < N; ++k) at[k] = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      const std::int64_t next = axis > 0 ? quotient(row, sizes[axis]) : 0;
      const std::int64_t i = row - next * sizes[axis];
      for (int k = 0; k < N; ++k) at[k] += i * strides[axis][k];
      row = next;
    }
  }
};

// As rows_of, with axes merged that follow one another in every operand.
template <int N>
DeviceRows<N> device_rows(const std::array<const Operand*, N>& operands) {
  DeviceRows<N> rows;
  const Operand& x = *operands[0];
  for (int axis = 0; axis + 1 < x.rank; ++axis) {
    rows.count *= x.sizes[axis];
    if (x.sizes[axis] == 1) continue;
    bool merge = rows.rank > 0;
    for (int k = 0; k < N && merge; ++k) {
      merge = rows.strides[rows.rank - 1][k] == operands[k]->strides[axis] * x.sizes[axis];
    }
    if (!merge) rows.sizes[rows.rank++] = 1;
    rows.sizes[rows.rank - 1] *= x.sizes[axis];
    for (int k = 0; k < N; ++k) rows.strides[rows.rank - 1][k] = operands[k]->strides[axis];
  }
  return rows;
}

// Whether the last leading axis of x, not its row axis, lies side by side.
inline bool rows_interleave(const Operand& x) {
  return x.rank >= 2 && row_stride(x) != 1 && x.strides[x.rank - 2] == 1;
}

// Calls f(item, present) for each of the group's items, equally often in every group of a block, so
// that f may join values: a group whose last turn has no item takes part with present = false.
template <class F>
__device__ inline void for_each_turn(const Group& group, std::int64_t items, F&& f) {
  std::int64_t item = group.first_row();
  for (std::int64_t first = group.block_row(); first < items; first += group.row_step()) {
    f(item, item < items);
    item += group.row_step();
  }
}

// The same for rows: f(row, present, at) with the offsets of the operands, 0 without a row.
template <int N, class F>
__device__ inline void for_each_row(const Group& group, const DeviceRows<N>& rows, F&& f) {
  for_each_turn(group, rows.count, [&](std::int64_t row, bool present) {
    std::int64_t at[N] = {};
    if (present) rows.offsets(row, at);
    f(row, present, at);
  });
}

// Calls f(i, x[i]...) for the group's share of a row of n elements; data and stride of each
// operand.
template <class T>
struct RowOf {
  T* data;
  std::int64_t stride;
};

namespace detail {

template <int V, class T>
__device__ inline bool packs(const RowOf<T>& row) {
  return row.stride == 1 && reinterpret_cast<std::uintptr_t>(row.data) % (sizeof(T) * V) == 0;
}

template <int V, class F, class... T>
__device__ inline void for_pack(std::int64_t i, const F& f, const Pack<T, V>&... pack) {
#pragma unroll
  for (int v = 0; v < V; ++v) f(i + v, pack.v[v]...);
}

}  // namespace detail

template <class F, class... T>
__device__ inline void for_row(const Group& group, std::int64_t n, const F& f,
                               RowOf<const T>... rows) {
  constexpr int V = kPackSize<T...>;
  std::int64_t first = 0;
  if ((detail::packs<V>(rows) && ...)) {
    first = n / V * V;
    for (std::int64_t i = group.rank() * V; i < first; i += group.size() * V) {
      detail::for_pack<V>(i, f, load_pack<V>(rows.data + i)...);
    }
  }
  for (std::int64_t i = first + group.rank(); i < n; i += group.size()) {
    f(i, rows.data[i * rows.stride]...);
  }
}

// y[i] = f(i, x[i]...) likewise.
template <class F, class Y, class... T>
__device__ inline void map_row(const Group& group, std::int64_t n, const F& f, RowOf<Y> y,
                               RowOf<const T>... rows) {
  constexpr int V = kPackSize<Y, T...>;
  std::int64_t first = 0;
  if (detail::packs<V>(y) && (detail::packs<V>(rows) && ...)) {
    first = n / V * V;
    for (std::int64_t i = group.rank() * V; i < first; i += group.size() * V) {
      Pack<Y, V> out;
      detail::for_pack<V>(
          i, [&](std::int64_t at, T... x) { out.v[at - i] = f(at, x...); },
          load_pack<V>(rows.data + i)...);
      store_pack<V>(y.data + i, out);
    }
  }
  for (std::int64_t i = first + group.rank(); i < n; i += group.size()) {
    y.data[i * y.stride] = f(i, rows.data[i * rows.stride]...);
  }
}

// The group's share of a row in registers, widened, so that memory is read once: packs of
// neighbours that are all under way before the first value is used. Only for rows that keeps_rows
// allows.
template <class T>
inline constexpr int kKept = 128 / sizeof(compute_t<T>);  // values of a thread at most

template <class T>
class KeptRow {
 public:
  using C = compute_t<T>;
  static constexpr int kPack = kPackSize<T>;

  __device__ KeptRow(const Group& group, int n, const T* data)
      : n_(n), first_(group.rank() * kPack), step_(group.size() * kPack) {
    Pack<T, kPack> packs[kPacks];
#pragma unroll
    for (int s = 0; s < kPacks; ++s) {
      if (start(s) < n_) packs[s] = load_pack<kPack>(data + start(s));
    }
#pragma unroll
    for (int s = 0; s < kPacks; ++s) {
#pragma unroll
      for (int v = 0; v < kPack; ++v) values_[s * kPack + v] = wide(packs[s].v[v]);
    }
  }

  // Calls f(value) for each value, which f may change.
  template <class F>
  __device__ void each(const F& f) {
#pragma unroll
    for (int s = 0; s < kPacks; ++s) {
      if (start(s) >= n_) continue;
#pragma unroll
      for (int v = 0; v < kPack; ++v) f(values_[s * kPack + v]);
    }
  }

  // Calls f(i, values) for each pack of values, which f may change; i is the first one's place.
  template <class F>
  __device__ void each_pack(const F& f) {
#pragma unroll
    for (int s = 0; s < kPacks; ++s) {
      if (start(s) < n_) f(start(s), values_ + s * kPack);
    }
  }

  __device__ static void store(T* to, const C* values) {
    Pack<T, kPack> out;
#pragma unroll
    for (int v = 0; v < kPack; ++v) out.v[v] = narrow<T>(values[v]);
    store_pack<kPack>(to, out);
  }

 private:
  static constexpr int kPacks = kKept<T> / kPack;
  __device__ int start(int s) const { return first_ + s * step_; }

  int n_, first_, step_;
  C values_[kKept<T>];
};

// Whether `data`, rows that are `row_stride` elements apart, can be taken in KeptRow's packs.
template <class T>
bool in_packs(const T* data, std::int64_t row_stride = 0) {
  constexpr std::int64_t pack = kPackSize<T>;
  return row_stride % pack == 0 && reinterpret_cast<std::uintptr_t>(data) % (sizeof(T) * pack) == 0;
}
// Whole packs, and enough of them to be worth the registers.
template <class T>
bool keeps_rows(const GroupPlan& plan, std::int64_t n) {
  const std::int64_t most = std::int64_t{plan.threads} * kKept<T>;
  return n % kPackSize<T> == 0 && n <= most && n * 2 >= most;
}
template <class T, int N>
bool keeps_rows(const GroupPlan& plan, const DeviceRows<N>& rows,
                const std::array<const Operand*, N>& operands) {
  bool keeps = keeps_rows<T>(plan, row_size(*operands[0]));
  for (int k = 0; k < N; ++k) {
    keeps = keeps && row_stride(*operands[k]) == 1 && in_packs(operands[k]->template as<T>());
    for (int axis = 0; axis < rows.rank; ++axis) {
      keeps = keeps && in_packs(operands[k]->template as<T>(), rows.strides[axis][k]);
    }
  }
  return keeps;
}

// The running log-sum-exp of a row: sum of exp(x - largest) beside the largest x. Infinities count
// as the reference counts them: -inf alone gives -inf, +inf gives +inf, NaN gives NaN.
template <class C>
struct LogSumExp {
  C largest, sum;

  static __device__ LogSumExp identity() {
    constexpr C lowest = kLowest<C>;
    return {lowest, C(0)};
  }
  static __device__ C share(C x, C top) { return x == top ? C(1) : ::exp(x - top); }
  static __device__ LogSumExp join(LogSumExp a, LogSumExp b) {
    const C top = a.largest > b.largest ? a.largest : b.largest;
    return {top, a.sum * share(a.largest, top) + b.sum * share(b.largest, top)};
  }
  __device__ void add(C x) {
    if (x > largest) {
      sum = sum * ::exp(largest - x) + C(1);
      largest = x;
    } else {
      sum += share(x, largest);
    }
  }
  __device__ C value() const { return largest + ::log(sum); }
};
template <class C>
__device__ inline LogSumExp<C> shuffle_xor(LogSumExp<C> value, int bits) {
  return {shuffle_xor(value.largest, bits), shuffle_xor(value.sum, bits)};
}

// Starts kernel(args...) with a group a row of `x`.
template <class... Params, class... Args>
void launch_rows(const GroupPlan& plan, void (*kernel)(Params...), Args... args) {
  launch_kernel(kernel, Dim3{plan.grid}, Dim3{plan.block}, 0, current_stream(), plan.threads,
                args...);
}

inline GroupPlan plan_groups(const Operand& x, std::int64_t rows) {
  return plan_groups(rows, row_size(x), rows_interleave(x));
}

// Whether `index` lies in [0, n); stores 1 in `error` otherwise.
__device__ inline bool check_index(std::int64_t index, std::int64_t n, std::int32_t* error) {
  const bool inside = index >= 0 && index < n;
  if (!inside) *error = 1;
  return inside;
}

}  // namespace athanor::cuda
