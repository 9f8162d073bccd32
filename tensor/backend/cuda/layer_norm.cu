// Layer and RMS normalisation over rows, with the residual sum in the same pass; backward in one
// pass over x and dy for dx, and column sums in parts for the parameters.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"
#include "tensor/backend/norm_args.h"

namespace athanor::cuda {
namespace {

constexpr int kTileRows = 8;
constexpr std::int64_t kPartRows = 64;  // at least
constexpr std::int64_t kMostParts = 256;

template <class T>
struct NormRows {
  std::int64_t rows, n;
  bool centre;  // layer_norm
  compute_t<T> epsilon;
  const T *x, *residual, *gamma, *beta;
  T *y, *sum;
  compute_t<T>*mean, *rstd;
};

// gamma (beta) at i, or what stands for an absent one.
template <class T>
__device__ inline compute_t<T> parameter(const T* values, std::int64_t i, compute_t<T> absent) {
  return values ? wide(values[i]) : absent;
}

template <class T>
__global__ void __launch_bounds__(kMostGroup) norm_rows(int threads, NormRows<T> p) {
  using C = compute_t<T>;
  const Group group(threads);
  for_each_turn(group, p.rows, [&](std::int64_t row, bool present) {
    const std::int64_t length = present ? p.n : 0, at = present ? row * p.n : 0;
    RowOf<const T> from{p.x + at, 1};
    C part = 0;
    if (p.residual) {
      const RowOf<T> to{p.sum + at, 1};
      map_row(
          group, length,
          [&](std::int64_t, T a, T b) {
            const T total = narrow<T>(wide(a) + wide(b));
            part += wide(total);
            return total;
          },
          to, from, RowOf<const T>{p.residual + at, 1});
      from.data = p.sum + at;
      group.sync();  // the sum is read back, not always by the thread that wrote it
    } else if (p.centre) {
      for_row(
          group, length, [&](std::int64_t, T v) { part += wide(v); }, from);
    }
    const C count = static_cast<C>(p.n);
    const C mean = p.centre ? group.all<Sum<C>>(part) / count : C(0);
    C squares = 0;
    for_row(
        group, length,
        [&](std::int64_t, T v) {
          const C d = wide(v) - mean;
          squares += d * d;
        },
        from);
    const C variance = group.all<Sum<C>>(squares) / count;
    const C rstd = C(1) / ::sqrt(variance + p.epsilon);
    map_row(
        group, length,
        [&](std::int64_t i, T v) {
          const C xhat = (wide(v) - mean) * rstd;
          return narrow<T>(xhat * parameter(p.gamma, i, C(1)) + parameter(p.beta, i, C(0)));
        },
        RowOf<T>{p.y + at, 1}, from);
    if (present && group.rank() == 0) {
      p.mean[row] = mean;
      p.rstd[row] = rstd;
    }
  });
}

// Rows that fit in their group's registers: read once.
template <class T>
__global__ void __launch_bounds__(kMostGroup) norm_kept_rows(int threads, NormRows<T> p) {
  using C = compute_t<T>;
  constexpr int kPack = KeptRow<T>::kPack;
  const Group group(threads);
  for_each_turn(group, p.rows, [&](std::int64_t row, bool present) {
    const std::int64_t at = present ? row * p.n : 0;
    KeptRow<T> kept(group, present ? static_cast<int>(p.n) : 0, p.x + at);
    if (p.residual) {
      kept.each_pack([&](int i, C* values) {
        const auto added = load_pack<kPack>(p.residual + at + i);
        for (int k = 0; k < kPack; ++k) values[k] = wide(narrow<T>(values[k] + wide(added.v[k])));
        kept.store(p.sum + at + i, values);
      });
    }
    C sum = 0, squares = 0;
    if (p.centre) kept.each([&](C v) { sum += v; });
    const C count = static_cast<C>(p.n);
    const C mean = p.centre ? group.all<Sum<C>>(sum) / count : C(0);
    kept.each([&](C v) { squares += (v - mean) * (v - mean); });
    const C rstd = C(1) / ::sqrt(group.all<Sum<C>>(squares) / count + p.epsilon);
    kept.each_pack([&](int i, C* values) {
      Pack<T, kPack> gamma, beta;
      if (p.gamma) gamma = load_pack<kPack>(p.gamma + i);
      if (p.beta) beta = load_pack<kPack>(p.beta + i);
      for (int k = 0; k < kPack; ++k) {
        values[k] = (values[k] - mean) * rstd;
        if (p.gamma) values[k] *= wide(gamma.v[k]);
        if (p.beta) values[k] += wide(beta.v[k]);
      }
      kept.store(p.y + at + i, values);
    });
    if (present && group.rank() == 0) {
      p.mean[row] = mean;
      p.rstd[row] = rstd;
    }
  });
}

template <class T>
bool keeps_norm_rows(const GroupPlan& plan, const NormRows<T>& p) {
  return keeps_rows<T>(plan, p.n) && in_packs(p.x) && in_packs(p.residual) && in_packs(p.gamma) &&
         in_packs(p.beta) && in_packs(p.y) && in_packs(p.sum);
}

template <class T>
struct NormGradRows {
  std::int64_t rows, n;
  bool centre;
  const T *x, *gamma, *dy, *dsum;
  const compute_t<T>*mean, *rstd;
  T* dx;
};

template <class T>
__global__ void __launch_bounds__(kMostGroup) norm_grad_rows(int threads, NormGradRows<T> p) {
  using C = compute_t<T>;
  const Group group(threads);
  for_each_turn(group, p.rows, [&](std::int64_t row, bool present) {
    const std::int64_t length = present ? p.n : 0, at = present ? row * p.n : 0;
    const C mean = present ? p.mean[row] : C(0), rstd = present ? p.rstd[row] : C(0);
    const RowOf<const T> of_x{p.x + at, 1}, of_dy{p.dy + at, 1};
    C sum = 0, projection = 0;
    for_row(
        group, length,
        [&](std::int64_t i, T v, T d) {
          const C g = wide(d) * parameter(p.gamma, i, C(1));
          sum += g;
          projection += g * ((wide(v) - mean) * rstd);
        },
        of_x, of_dy);
    const C count = static_cast<C>(p.n);
    const C mean_g = p.centre ? group.all<Sum<C>>(sum) / count : C(0);
    const C mean_gx = group.all<Sum<C>>(projection) / count;
    map_row(
        group, length,
        [&](std::int64_t i, T v, T d) {
          const C g = wide(d) * parameter(p.gamma, i, C(1)), xhat = (wide(v) - mean) * rstd;
          const C added = p.dsum ? C(wide(p.dsum[at + i])) : C(0);
          return narrow<T>(rstd * (g - mean_g - xhat * mean_gx) + added);
        },
        RowOf<T>{p.dx + at, 1}, of_x, of_dy);
  });
}

// Sums over a part of the rows, to partial [parts, 2, n]: of dy xhat, and of dy.
template <class T>
__global__ void part_gradients(std::int64_t rows, std::int64_t n, std::int64_t part_rows,
                               const T* x, const T* dy, const compute_t<T>* mean,
                               const compute_t<T>* rstd, compute_t<T>* partial) {
  using C = compute_t<T>;
  __shared__ C shared[2][kTileRows][kWarp];
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kWarp + threadIdx.x;
  const std::int64_t first = blockIdx.y * part_rows;
  const std::int64_t last = first + part_rows < rows ? first + part_rows : rows;
  C dgamma = 0, dbeta = 0;
  for (std::int64_t row = first + threadIdx.y; row < last && i < n; row += kTileRows) {
    const C d = wide(dy[row * n + i]);
    dgamma += d * ((wide(x[row * n + i]) - mean[row]) * rstd[row]);
    dbeta += d;
  }
  shared[0][threadIdx.y][threadIdx.x] = dgamma;
  shared[1][threadIdx.y][threadIdx.x] = dbeta;
  __syncthreads();
  if (threadIdx.y >= 2 || i >= n) return;
  C total = 0;
  for (int r = 0; r < kTileRows; ++r) total += shared[threadIdx.y][r][threadIdx.x];
  partial[(2 * blockIdx.y + threadIdx.y) * n + i] = total;
}

template <class T>
__global__ void join_gradients(std::int64_t n, std::int64_t parts, const compute_t<T>* partial,
                               T* dgamma, T* dbeta) {
  for (std::int64_t i = grid_thread(); i < n; i += grid_threads()) {
    double of_gamma = 0, of_beta = 0;
    for (std::int64_t part = 0; part < parts; ++part) {
      of_gamma += static_cast<double>(partial[2 * part * n + i]);
      of_beta += static_cast<double>(partial[(2 * part + 1) * n + i]);
    }
    if (dgamma) dgamma[i] = narrow<T>(static_cast<compute_t<T>>(of_gamma));
    if (dbeta) dbeta[i] = narrow<T>(static_cast<compute_t<T>>(of_beta));
  }
}

template <class T>
void parameter_gradients(const RowNormBackwardArgs& a, std::int64_t rows, std::int64_t n) {
  using C = compute_t<T>;
  std::int64_t parts = (rows + kPartRows - 1) / kPartRows;
  if (parts > kMostParts) parts = kMostParts;
  if (parts < 1) parts = 1;
  const std::int64_t part_rows = (rows + parts - 1) / parts;
  const Workspace workspace(static_cast<std::size_t>(parts * 2 * n) * sizeof(C));
  const Dim3 grid{static_cast<unsigned>((n + kWarp - 1) / kWarp), static_cast<unsigned>(parts)};
  launch_kernel(part_gradients<T>, grid, Dim3{kWarp, kTileRows}, 0, current_stream(), rows, n,
                part_rows, a.x.as<const T>(), a.dy.as<const T>(), a.mean.as<const C>(),
                a.rstd.as<const C>(), workspace.as<C>());
  launch_kernel(join_gradients<T>, grid_for(n), Dim3{kBlock}, 0, current_stream(), n, parts,
                workspace.as<C>(), a.dgamma.as<T>(), a.dbeta.as<T>());
}

}  // namespace

void row_norm(const RowNormArgs& a) {
  const std::int64_t n = row_size(a.x), rows = a.mean.numel();
  if (rows == 0 || n == 0) return;
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const NormRows<T> p{rows,
                        n,
                        a.op == RowNormOp::layer_norm,
                        static_cast<C>(a.epsilon),
                        a.x.as<T>(),
                        a.residual.as<T>(),
                        a.gamma.as<T>(),
                        a.beta.as<T>(),
                        a.y.as<T>(),
                        a.sum.as<T>(),
                        a.mean.as<C>(),
                        a.rstd.as<C>()};
    const GroupPlan plan = plan_groups(rows, n, false);
    launch_rows(plan, keeps_norm_rows(plan, p) ? norm_kept_rows<T> : norm_rows<T>, p);
  });
}

void row_norm_backward(const RowNormBackwardArgs& a) {
  const std::int64_t n = row_size(a.x), rows = a.mean.numel();
  if (n == 0) return;
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    if (rows > 0) {
      launch_rows(plan_groups(rows, n, false), norm_grad_rows<T>,
                  NormGradRows<T>{rows, n, a.op == RowNormOp::layer_norm, a.x.as<T>(),
                                  a.gamma.as<T>(), a.dy.as<T>(), a.dsum.as<T>(), a.mean.as<C>(),
                                  a.rstd.as<C>(), a.dx.as<T>()});
    }
    if (a.dgamma.data || a.dbeta.data) parameter_gradients<T>(a, rows, n);
  });
}

}  // namespace athanor::cuda
