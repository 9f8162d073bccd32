// Batch normalisation. Statistics and gradients of the parameters are column sums over the rows
// (N, H, W) of a channel: blocks of 32 channels by 8 rows, in parts that a second launch combines
// in order and in double.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

constexpr int kTileRows = 8;
constexpr std::int64_t kPartRows = 256;  // at least
constexpr std::int64_t kMostParts = 128;

// x [N, C] or [N, C, H, W]: rows of C channels.
struct Channels {
  std::int64_t C, rows, stride, part_rows, parts;
  DeviceRows<2> places;  // of x and, for the gradient, dy

  Channels(const Operand& x, const Operand& dy) : C(x.sizes[1]), stride(x.strides[1]) {
    std::int64_t sizes[kMaxRank], x_strides[kMaxRank], dy_strides[kMaxRank];
    int rank = 0;
    for (int axis = 0; axis < x.rank; ++axis) {
      if (axis == 1) continue;
      sizes[rank] = x.sizes[axis];
      x_strides[rank] = x.strides[axis];
      dy_strides[rank++] = dy.strides[axis];
    }
    sizes[rank] = 1;  // device_rows leaves out the last axis
    x_strides[rank] = dy_strides[rank] = 0;
    const Operand a{x.data, sizes, x_strides, rank + 1, x.dtype};
    const Operand b{dy.data, sizes, dy_strides, rank + 1, dy.dtype};
    places = device_rows<2>({&a, &b});
    rows = places.count;
    parts = (rows + kPartRows - 1) / kPartRows;
    if (parts > kMostParts) parts = kMostParts;
    if (parts < 1) parts = 1;
    part_rows = (rows + parts - 1) / parts;
    if (part_rows > 0) parts = (rows + part_rows - 1) / part_rows;
  }
  Dim3 grid(std::int64_t over) const {
    return Dim3{static_cast<unsigned>((C + kWarp - 1) / kWarp), static_cast<unsigned>(over)};
  }
};

inline constexpr Dim3 kTile{kWarp, kTileRows};

// Sum over threadIdx.y, for every thread of the tile's column.
template <class A>
__device__ inline A column_sum(A value) {
  __shared__ double words[kTileRows * kWarp];
  A* shared = reinterpret_cast<A*>(words);
  __syncthreads();  // an earlier sum may still be read
  shared[threadIdx.y * kWarp + threadIdx.x] = value;
  __syncthreads();
  A total = 0;
  for (int i = 0; i < kTileRows; ++i) total += shared[i * kWarp + static_cast<int>(threadIdx.x)];
  return total;
}

// A part's mean and its squared deviations from that, to partial [parts, 2, C].
template <class T>
__global__ void part_statistics(Channels p, const T* x, compute_t<T>* partial) {
  using A = compute_t<T>;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kWarp + threadIdx.x;
  const std::int64_t first = blockIdx.y * p.part_rows;
  const std::int64_t rest = p.rows - first;
  const std::int64_t count = rest < p.part_rows ? rest : p.part_rows;
  const std::int64_t end = c < p.C ? first + count : 0;
  const T* from = x + c * p.stride;
  std::int64_t at[2];
  A sum = 0;
  for (std::int64_t r = first + threadIdx.y; r < end; r += kTileRows) {
    p.places.offsets(r, at);
    sum += wide(from[at[0]]);
  }
  const A mean = column_sum(sum) / static_cast<A>(count);
  A squares = 0;
  for (std::int64_t r = first + threadIdx.y; r < end; r += kTileRows) {
    p.places.offsets(r, at);
    const A d = wide(from[at[0]]) - mean;
    squares += d * d;
  }
  squares = column_sum(squares);
  if (threadIdx.y != 0 || c >= p.C) return;
  partial[(2 * blockIdx.y) * p.C + c] = mean;
  partial[(2 * blockIdx.y + 1) * p.C + c] = squares;
}

// Combines the parts (Chan, Golub and LeVeque 1979), in double.
template <class T>
__global__ void join_statistics(Channels p, const compute_t<T>* partial, T* mean, T* variance) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kWarp + threadIdx.x;
  const std::int64_t parts = c < p.C ? p.parts : 0;
  const auto rows_of_part = [&](std::int64_t part) {
    const std::int64_t rest = p.rows - part * p.part_rows;
    return static_cast<double>(rest < p.part_rows ? rest : p.part_rows);
  };
  double sum = 0;
  for (std::int64_t k = threadIdx.y; k < parts; k += kTileRows) {
    sum += rows_of_part(k) * static_cast<double>(partial[2 * k * p.C + c]);
  }
  const double centre = column_sum(sum) / static_cast<double>(p.rows);
  double squares = 0;
  for (std::int64_t k = threadIdx.y; k < parts; k += kTileRows) {
    const double d = static_cast<double>(partial[2 * k * p.C + c]) - centre;
    squares += static_cast<double>(partial[(2 * k + 1) * p.C + c]) + rows_of_part(k) * d * d;
  }
  squares = column_sum(squares);
  if (threadIdx.y != 0 || c >= p.C) return;
  mean[c] = narrow<T>(static_cast<compute_t<T>>(centre));
  variance[c] = narrow<T>(static_cast<compute_t<T>>(squares / static_cast<double>(p.rows)));
}

template <class T>
__global__ void normalise(Loop<6> loop, bool relu, T* y, const T* x, const T* mean, const T* rstd,
                          const T* gamma, const T* beta) {
  using C = compute_t<T>;
  const auto f = [relu](T v, T m, T r, T g, T b) {
    const C value = (wide(v) - wide(m)) * wide(r) * wide(g) + wide(b);
    return narrow<T>(relu && value < C(0) ? C(0) : value);
  };
  map<kPackSize<T>>(loop, f, y, x, mean, rstd, gamma, beta);
}

// dy, or 0 where relu cut y.
template <class C>
__device__ inline C passed(bool relu, C dy, C xhat, C gamma, C beta) {
  return relu && !(xhat * gamma + beta > C(0)) ? C(0) : dy;
}

// A part's sums of dy xhat and dy, to partial [parts, 2, C].
template <class T>
__global__ void part_gradients(Channels p, bool relu, const T* x, const T* dy,
                               std::int64_t dy_stride, const T* mean, const T* rstd, const T* gamma,
                               const T* beta, compute_t<T>* partial) {
  using A = compute_t<T>;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kWarp + threadIdx.x;
  const std::int64_t first = blockIdx.y * p.part_rows;
  const std::int64_t last = first + p.part_rows < p.rows ? first + p.part_rows : p.rows;
  A dgamma = 0, dbeta = 0;
  if (c < p.C) {
    const A m = wide(mean[c]), r = wide(rstd[c]), g = wide(gamma[c]), b = wide(beta[c]);
    for (std::int64_t row = first + threadIdx.y; row < last; row += kTileRows) {
      std::int64_t at[2];
      p.places.offsets(row, at);
      const A xhat = (wide(x[at[0] + c * p.stride]) - m) * r;
      const A d = passed(relu, A(wide(dy[at[1] + c * dy_stride])), xhat, g, b);
      dgamma += d * xhat;
      dbeta += d;
    }
  }
  dgamma = column_sum(dgamma);
  dbeta = column_sum(dbeta);
  if (threadIdx.y != 0 || c >= p.C) return;
  partial[(2 * blockIdx.y) * p.C + c] = dgamma;
  partial[(2 * blockIdx.y + 1) * p.C + c] = dbeta;
}

// dgamma and dbeta, and their means over the rows as means [2, C] for the gradient of x.
template <class T>
__global__ void join_gradients(Channels p, const compute_t<T>* partial, T* dgamma, T* dbeta,
                               compute_t<T>* means) {
  using A = compute_t<T>;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kWarp + threadIdx.x;
  const std::int64_t parts = c < p.C ? p.parts : 0;
  double sum_gamma = 0, sum_beta = 0;
  for (std::int64_t k = threadIdx.y; k < parts; k += kTileRows) {
    sum_gamma += static_cast<double>(partial[2 * k * p.C + c]);
    sum_beta += static_cast<double>(partial[(2 * k + 1) * p.C + c]);
  }
  sum_gamma = column_sum(sum_gamma);
  sum_beta = column_sum(sum_beta);
  if (threadIdx.y != 0 || c >= p.C) return;
  dgamma[c] = narrow<T>(static_cast<A>(sum_gamma));
  dbeta[c] = narrow<T>(static_cast<A>(sum_beta));
  means[c] = static_cast<A>(sum_gamma / static_cast<double>(p.rows));
  means[p.C + c] = static_cast<A>(sum_beta / static_cast<double>(p.rows));
}

template <class T>
__global__ void input_gradients(Loop<9> loop, bool relu, T* dx, const T* x, const T* dy,
                                const T* mean, const T* rstd, const T* gamma, const T* beta,
                                const compute_t<T>* mean_gamma, const compute_t<T>* mean_beta) {
  using C = compute_t<T>;
  const auto f = [relu](T v, T dv, T m, T r, T g, T b, C of_gamma, C of_beta) {
    const C xhat = (wide(v) - wide(m)) * wide(r);
    const C d = passed(relu, C(wide(dv)), xhat, C(wide(g)), C(wide(b)));
    return narrow<T>(wide(g) * wide(r) * (d - of_beta - xhat * of_gamma));
  };
  map<kPackSize<T, C>>(loop, f, dx, x, dy, mean, rstd, gamma, beta, mean_gamma, mean_beta);
}

// A vector of channels with x's sizes: stride 0 along the other axes.
struct OverChannels {
  std::int64_t strides[kMaxRank] = {};
  Operand view;

  explicit OverChannels(const Operand& x) : view{nullptr, x.sizes, strides, x.rank, x.dtype} {
    strides[1] = 1;
  }
  OverChannels(const OverChannels&) = delete;
};

template <class T>
void backward_typed(const BatchNormBackwardArgs& a) {
  using A = compute_t<T>;
  const Channels p(a.x, a.dy);
  const Workspace workspace(static_cast<std::size_t>((p.parts + 1) * 2 * p.C) * sizeof(A));
  A *partial = workspace.as<A>(), *means = partial + p.parts * 2 * p.C;
  const T *x = a.x.as<T>(), *dy = a.dy.as<T>(), *mean = a.mean.as<T>(), *rstd = a.rstd.as<T>();
  const T *gamma = a.gamma.as<T>(), *beta = a.beta.as<T>();
  launch_kernel(part_gradients<T>, p.grid(p.parts), kTile, 0, current_stream(), p, a.relu, x, dy,
                a.dy.strides[1], mean, rstd, gamma, beta, partial);
  launch_kernel(join_gradients<T>, p.grid(1), kTile, 0, current_stream(), p, partial,
                a.dgamma.as<T>(), a.dbeta.as<T>(), means);
  const OverChannels channels(a.x);
  const Operand* v = &channels.view;
  const LoopPlan<9> plan = plan_loop<9>({&a.dx, &a.x, &a.dy, v, v, v, v, v, v});
  const auto run = [&](const Loop<9>& loop, auto... data) {
    launch_loop(loop, input_gradients<T>, a.relu, data...);
  };
  for_each_loop<kPackSize<T, A>>(plan, run, a.dx.as<T>(), x, dy, mean, rstd, gamma, beta,
                                 static_cast<const A*>(means), static_cast<const A*>(means + p.C));
}

}  // namespace

void batch_norm_statistics(const BatchNormStatisticsArgs& a) {
  if (a.x.sizes[1] == 0) return;
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    using A = compute_t<T>;
    const Channels p(a.x, a.x);
    const Workspace workspace(static_cast<std::size_t>(p.parts * 2 * p.C) * sizeof(A));
    launch_kernel(part_statistics<T>, p.grid(p.parts), kTile, 0, current_stream(), p, a.x.as<T>(),
                  workspace.as<A>());
    launch_kernel(join_statistics<T>, p.grid(1), kTile, 0, current_stream(), p, workspace.as<A>(),
                  a.mean.as<T>(), a.variance.as<T>());
  });
}

void batch_norm(const BatchNormArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    const OverChannels channels(a.x);
    const Operand* v = &channels.view;
    const LoopPlan<6> plan = plan_loop<6>({&a.y, &a.x, v, v, v, v});
    const auto run = [&](const Loop<6>& loop, auto... data) {
      launch_loop(loop, normalise<T>, a.relu, data...);
    };
    for_each_loop<kPackSize<T>>(plan, run, a.y.as<T>(), a.x.as<const T>(), a.mean.as<const T>(),
                                a.rstd.as<const T>(), a.gamma.as<const T>(), a.beta.as<const T>());
  });
}

void batch_norm_backward(const BatchNormBackwardArgs& a) {
  if (a.x.sizes[1] == 0) return;
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) { backward_typed<T>(a); });
}

}  // namespace athanor::cuda
