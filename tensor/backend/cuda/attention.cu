// Attention with online softmax: no matrix of scores in memory, forward or backward. This file has
// the plain kernels, a warp a query, for f64 and large heads, and the choice between them and those
// by tiles (attention_tiled.cu, attention_tensor_core.cu).
#include "tensor/backend/cuda/attention.cuh"

#include "tensor/backend/cuda/cuda.h"

namespace athanor::cuda {
namespace {

constexpr int kWarps = 4;  // of a block

template <class T>
__global__ void __launch_bounds__(kMostGroup)
    delta_rows(int threads, DeviceRows<2> rows, std::int64_t n, const T* y, std::int64_t ys,
               const T* dy, std::int64_t ds, compute_t<T>* delta) {
  using C = compute_t<T>;
  const Group group(threads);
  for_each_row(group, rows, [&](std::int64_t row, bool present, const std::int64_t(&at)[2]) {
    C sum = 0;
    for_row(
        group, present ? n : 0, [&](std::int64_t, T a, T b) { sum += wide(a) * wide(b); },
        RowOf<const T>{y + at[0], ys}, RowOf<const T>{dy + at[1], ds});
    sum = group.all<Sum<C>>(sum);
    if (present && group.rank() == 0) delta[row] = sum;
  });
}

// The rows of one warp, and its lane. Vectors of D elements are kept as kSlots elements a lane
// (element lane + 32 slot), and as a whole in shared memory where each lane needs all of it.
struct Warp {
  int lane = static_cast<int>(threadIdx.x) % kWarp, number = static_cast<int>(threadIdx.x) / kWarp;
  std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kWarps + number;
  std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kWarps;
};

// Copies x [D] to `to` [D] in shared memory; all lanes of the warp read it afterwards.
template <class T>
__device__ inline void keep_row(const Warp& warp, const T* x, std::int64_t stride, std::int64_t D,
                                compute_t<T>* to) {
  __syncwarp();
  for (std::int64_t d = warp.lane; d < D; d += kWarp) to[d] = wide(x[d * stride]);
  __syncwarp();
}

template <class T>
__device__ inline compute_t<T> dot(const compute_t<T>* kept, const T* x, std::int64_t stride,
                                   std::int64_t D) {
  compute_t<T> sum = 0;
  for (std::int64_t d = 0; d < D; ++d) sum += kept[d] * wide(x[d * stride]);
  return sum;
}

// sums[slot] += factor_j x_j over the warp's 32 rows j of x, whose factors the lanes hold.
template <class T, int kSlots>
__device__ inline void add_rows(const Warp& warp, compute_t<T> (&sums)[kSlots], compute_t<T> factor,
                                const T* x, std::int64_t row_stride, std::int64_t stride,
                                std::int64_t rows, std::int64_t D) {
  for (int j = 0; j < kWarp; ++j) {
    const compute_t<T> of_row = __shfl_sync(kAllLanes, factor, j);
    if (j >= rows) continue;
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      const std::int64_t d = warp.lane + slot * kWarp;
      if (d < D) sums[slot] += of_row * wide(x[j * row_stride + d * stride]);
    }
  }
}

template <class T, int kSlots>
__device__ inline void store_row(const Warp& warp, T* to, std::int64_t stride, std::int64_t D,
                                 const compute_t<T> (&values)[kSlots], compute_t<T> factor) {
#pragma unroll
  for (int slot = 0; slot < kSlots; ++slot) {
    const std::int64_t d = warp.lane + slot * kWarp;
    if (d < D) to[d * stride] = narrow<T>(values[slot] * factor);
  }
}

template <class C>
__device__ inline C warp_max(C value) {
  for (int bits = kWarp / 2; bits > 0; bits /= 2) {
    value = Max<C>::join(value, shuffle_xor(value, bits));
  }
  return value;
}
template <class C>
__device__ inline C warp_sum(C value) {
  for (int bits = kWarp / 2; bits > 0; bits /= 2) value += shuffle_xor(value, bits);
  return value;
}

// A warp a query; a lane a key of 32.
template <class T, int kSlots>
__global__ void forward(AttentionShape<T> p, HeadsOf<const T> q, HeadsOf<const T> k,
                        HeadsOf<const T> v, HeadsOf<T> y, compute_t<T>* lse) {
  using C = compute_t<T>;
  constexpr C kNone = kLowest<C>;
  const Warp warp;
  C* query = dynamic_shared<C>() + warp.number * p.D;
  for (std::int64_t row = warp.first; row < p.B * p.H * p.Lq; row += warp.step) {
    const std::int64_t bh = row / p.Lq, i = row - bh * p.Lq, b = bh / p.H, h = bh - b * p.H;
    const std::int64_t seen = p.seen(b, i);
    const T *keys = k.head(b, p.key_head(h)), *values = v.head(b, p.key_head(h));
    keep_row(warp, q.head(b, h) + i * q.stride[2], q.stride[3], p.D, query);
    C largest = kNone, sum = 0, total[kSlots] = {};
    for (std::int64_t first = 0; first < seen; first += kWarp) {
      const std::int64_t j = first + warp.lane;
      C score = kNone;
      if (j < seen) {
        score = p.scale * dot(query, keys + j * k.stride[2], k.stride[3], p.D);
        if (p.mask.data) score += p.mask_at(b, h, i, j);
      }
      const C top = Max<C>::join(largest, warp_max(score));
      const C share = score == kNone ? C(0) : ::exp(score - top);
      const C keep = largest == kNone ? C(0) : ::exp(largest - top);
      sum = sum * keep + warp_sum(share);
      for (C& t : total) t *= keep;
      add_rows(warp, total, share, values + first * v.stride[2], v.stride[2], v.stride[3],
               seen - first, p.D);
      largest = top;
    }
    store_row(warp, y.head(b, h) + i * y.stride[2], y.stride[3], p.D, total,
              sum == C(0) ? C(0) : C(1) / sum);
    if (warp.lane == 0) lse[row] = largest + ::log(sum);
  }
}

// p_ij and ds_ij of one query and key: 0 where the query sees nothing.
template <class T>
struct Weights {
  compute_t<T> p, ds;
};
template <class T>
__device__ inline Weights<T> weights(const AttentionShape<T>& p, std::int64_t b, std::int64_t h,
                                     std::int64_t i, std::int64_t j, compute_t<T> q_dot_k,
                                     compute_t<T> dy_dot_v, compute_t<T> lse, compute_t<T> delta) {
  using C = compute_t<T>;
  constexpr C none = kLowest<C>;
  if (lse == none) return {C(0), C(0)};
  C score = p.scale * q_dot_k;
  if (p.mask.data) score += p.mask_at(b, h, i, j);
  const C share = ::exp(score - lse);
  return {share, share * (dy_dot_v - delta)};
}

// A warp a query: dq.
template <class T, int kSlots>
__global__ void backward_queries(AttentionShape<T> p, HeadsOf<const T> q, HeadsOf<const T> k,
                                 HeadsOf<const T> v, HeadsOf<const T> dy, const compute_t<T>* lse,
                                 const compute_t<T>* delta, HeadsOf<T> dq) {
  using C = compute_t<T>;
  const Warp warp;
  C *query = dynamic_shared<C>() + 2 * warp.number * p.D, *gradient = query + p.D;
  for (std::int64_t row = warp.first; row < p.B * p.H * p.Lq; row += warp.step) {
    const std::int64_t bh = row / p.Lq, i = row - bh * p.Lq, b = bh / p.H, h = bh - b * p.H;
    const std::int64_t seen = p.seen(b, i);
    const T *keys = k.head(b, p.key_head(h)), *values = v.head(b, p.key_head(h));
    keep_row(warp, q.head(b, h) + i * q.stride[2], q.stride[3], p.D, query);
    keep_row(warp, dy.head(b, h) + i * dy.stride[2], dy.stride[3], p.D, gradient);
    C total[kSlots] = {};
    for (std::int64_t first = 0; first < seen; first += kWarp) {
      const std::int64_t j = first + warp.lane;
      C ds = 0;
      if (j < seen) {
        ds =
            weights(p, b, h, i, j, dot(query, keys + j * k.stride[2], k.stride[3], p.D),
                    dot(gradient, values + j * v.stride[2], v.stride[3], p.D), lse[row], delta[row])
                .ds;
      }
      add_rows(warp, total, ds, keys + first * k.stride[2], k.stride[2], k.stride[3], seen - first,
               p.D);
    }
    store_row(warp, dq.head(b, h) + i * dq.stride[2], dq.stride[3], p.D, total, p.scale);
  }
}

// A warp a key: dk and dv, over the queries of every head that reads it.
template <class T, int kSlots>
__global__ void backward_keys(AttentionShape<T> p, HeadsOf<const T> q, HeadsOf<const T> k,
                              HeadsOf<const T> v, HeadsOf<const T> dy, const compute_t<T>* lse,
                              const compute_t<T>* delta, HeadsOf<T> dk, HeadsOf<T> dv) {
  using C = compute_t<T>;
  const Warp warp;
  C *key = dynamic_shared<C>() + 2 * warp.number * p.D, *value = key + p.D;
  const std::int64_t group = p.H / p.Hkv;
  for (std::int64_t row = warp.first; row < p.B * p.Hkv * p.Lk; row += warp.step) {
    const std::int64_t bg = row / p.Lk, j = row - bg * p.Lk, b = bg / p.Hkv, g = bg - b * p.Hkv;
    keep_row(warp, k.head(b, g) + j * k.stride[2], k.stride[3], p.D, key);
    keep_row(warp, v.head(b, g) + j * v.stride[2], v.stride[3], p.D, value);
    C of_key[kSlots] = {}, of_value[kSlots] = {};
    for (std::int64_t h = g * group; h < (g + 1) * group; ++h) {
      const T *queries = q.head(b, h), *gradients = dy.head(b, h);
      for (std::int64_t first = 0; first < p.Lq; first += kWarp) {
        const std::int64_t i = first + warp.lane, at = (b * p.H + h) * p.Lq + i;
        Weights<T> w{C(0), C(0)};
        if (j < p.seen(b, i)) {
          w = weights(p, b, h, i, j, dot(key, queries + i * q.stride[2], q.stride[3], p.D),
                      dot(value, gradients + i * dy.stride[2], dy.stride[3], p.D), lse[at],
                      delta[at]);
        }
        add_rows(warp, of_value, w.p, gradients + first * dy.stride[2], dy.stride[2], dy.stride[3],
                 p.Lq - first, p.D);
        add_rows(warp, of_key, w.ds, queries + first * q.stride[2], q.stride[2], q.stride[3],
                 p.Lq - first, p.D);
      }
    }
    store_row(warp, dk.head(b, g) + j * dk.stride[2], dk.stride[3], p.D, of_key, p.scale);
    store_row(warp, dv.head(b, g) + j * dv.stride[2], dv.stride[3], p.D, of_value, C(1));
  }
}

// Starts `kernel` with a warp a row, and `vectors` vectors of D elements of shared memory a warp.
template <class C, class... Params, class... Args>
void launch_warps(std::int64_t rows, std::int64_t vectors, std::int64_t D,
                  void (*kernel)(Params...), Args... args) {
  if (rows == 0) return;
  launch_kernel(kernel, grid_for((rows + kWarps - 1) / kWarps, 1), Dim3{kWarps * kWarp},
                static_cast<std::size_t>(kWarps * vectors * D) * sizeof(C), current_stream(),
                args...);
}

template <class T, int kSlots>
void forward_typed(const AttentionArgs& a) {
  using C = compute_t<T>;
  const AttentionShape<T> p(a);
  launch_warps<C>(p.B * p.H * p.Lq, 1, p.D, forward<T, kSlots>, p, heads_of<const T>(a.q),
                  heads_of<const T>(a.k), heads_of<const T>(a.v), heads_of<T>(a.y), a.lse.as<C>());
}

template <class T, int kSlots>
void backward_typed(const AttentionBackwardArgs& a, const compute_t<T>* delta) {
  using C = compute_t<T>;
  const AttentionShape<T> p(a);
  const HeadsOf<const T> q = heads_of<const T>(a.q), k = heads_of<const T>(a.k);
  const HeadsOf<const T> v = heads_of<const T>(a.v), dy = heads_of<const T>(a.dy);
  launch_warps<C>(p.B * p.H * p.Lq, 2, p.D, backward_queries<T, kSlots>, p, q, k, v, dy,
                  a.lse.as<C>(), delta, heads_of<T>(a.dq));
  launch_warps<C>(p.B * p.Hkv * p.Lk, 2, p.D, backward_keys<T, kSlots>, p, q, k, v, dy,
                  a.lse.as<C>(), delta, heads_of<T>(a.dk), heads_of<T>(a.dv));
}

bool by_tiles(const Operand& q) { return q.dtype != DType::f64 && q.sizes[3] <= kTiledHeadSize; }

// Calls f(Tag<T>, kSlots) for the plain kernels.
template <class F>
void choose_plain(const Operand& q, F&& f) {
  visit_real(q.dtype, [&]<class T>(Tag<T> type) {
    if constexpr (std::is_same_v<T, double>) {
      if (q.sizes[3] <= 2 * kWarp) return f(type, std::integral_constant<int, 2>{});
    }
    f(type, std::integral_constant<int, 8>{});
  });
}

void check_head_size(const Operand& q) {
  if (q.sizes[3] <= kPlainHeadSize) return;
  fail("attention", "expected heads of at most ", kPlainHeadSize, " values on cuda, got ",
       q.sizes[3]);
}

}  // namespace

void attention(const AttentionArgs& args) {
  check_head_size(args.q);
  if (by_tiles(args.q)) {
    return args.q.dtype == DType::f32 ? attention_tiled(args) : attention_tensor_core(args);
  }
  choose_plain(args.q, [&]<class T, int kSlots>(Tag<T>, std::integral_constant<int, kSlots>) {
    forward_typed<T, kSlots>(args);
  });
}

void attention_backward(const AttentionBackwardArgs& args) {
  check_head_size(args.q);
  const DeviceRows<2> rows = device_rows<2>({&args.y, &args.dy});
  const std::int64_t bytes = size_of(args.q.dtype) == 8 ? 8 : 4;
  const Workspace workspace(static_cast<std::size_t>(rows.count * bytes));
  visit_real(args.q.dtype, [&]<class T>(Tag<T>) {
    if (rows.count == 0) return;
    launch_rows(plan_groups(args.y, rows.count), delta_rows<T>, rows, row_size(args.y),
                args.y.as<const T>(), row_stride(args.y), args.dy.as<const T>(),
                row_stride(args.dy), workspace.as<compute_t<T>>());
  });
  if (by_tiles(args.q)) {
    const float* delta = workspace.as<float>();
    return args.q.dtype == DType::f32 ? attention_tiled_backward(args, delta)
                                      : attention_tensor_core_backward(args, delta);
  }
  choose_plain(args.q, [&]<class T, int kSlots>(Tag<T>, std::integral_constant<int, kSlots>) {
    backward_typed<T, kSlots>(args, workspace.as<compute_t<T>>());
  });
}

}  // namespace athanor::cuda
