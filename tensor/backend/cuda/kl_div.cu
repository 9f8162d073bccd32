// The distillation loss T^2 KL(softmax(t / T) || softmax(x / T)) by row, and its gradient.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

// The offsets of x, t, loss, x_lse and t_lse.
template <class T>
__global__ void __launch_bounds__(kMostGroup)
    kl_div_rows(int threads, DeviceRows<5> rows, std::int64_t n, compute_t<T> temperature,
                compute_t<T> scale, const T* x, std::int64_t xs, const T* t, std::int64_t ts,
                T* loss, compute_t<T>* x_lse, compute_t<T>* t_lse) {
  using C = compute_t<T>;
  const Group group(threads);
  for_each_row(group, rows, [&](std::int64_t, bool present, const std::int64_t(&at)[5]) {
    const std::int64_t length = present ? n : 0;
    const RowOf<const T> of_x{x + at[0], xs}, of_t{t + at[1], ts};
    LogSumExp<C> x_part = LogSumExp<C>::identity(), t_part = x_part;
    for_row(
        group, length,
        [&](std::int64_t, T a, T b) {
          x_part.add(scale * wide(a));
          t_part.add(scale * wide(b));
        },
        of_x, of_t);
    const C x_sum = group.all<LogSumExp<C>>(x_part).value();
    const C t_sum = group.all<LogSumExp<C>>(t_part).value();
    C part = 0;
    for_row(
        group, length,
        [&](std::int64_t, T a, T b) {
          const C log_p = scale * wide(a) - x_sum, log_q = scale * wide(b) - t_sum;
          const C q = ::exp(log_q);
          if (q != C(0)) part += q * (log_q - log_p);
        },
        of_x, of_t);
    const C total = group.all<Sum<C>>(part);
    if (!present || group.rank() != 0) return;
    loss[at[2]] = narrow<T>(total * temperature * temperature);
    x_lse[at[3]] = x_sum;
    t_lse[at[4]] = t_sum;
  });
}

// The offsets of x, t, x_lse, t_lse, dloss and dx.
template <class T>
__global__ void __launch_bounds__(kMostGroup)
    kl_div_grad_rows(int threads, DeviceRows<6> rows, std::int64_t n, compute_t<T> temperature,
                     compute_t<T> scale, const T* x, std::int64_t xs, const T* t, std::int64_t ts,
                     const compute_t<T>* x_lse, const compute_t<T>* t_lse, const T* dloss, T* dx,
                     std::int64_t dxs) {
  using C = compute_t<T>;
  const Group group(threads);
  for (std::int64_t row = group.first_row(); row < rows.count; row += group.row_step()) {
    std::int64_t at[6];
    rows.offsets(row, at);
    const C x_sum = x_lse[at[2]], t_sum = t_lse[at[3]];
    const C factor = temperature * wide(dloss[at[4]]);
    map_row(
        group, n,
        [&](std::int64_t, T a, T b) {
          const C p = ::exp(scale * wide(a) - x_sum), q = ::exp(scale * wide(b) - t_sum);
          return narrow<T>(factor * (p - q));
        },
        RowOf<T>{dx + at[5], dxs}, RowOf<const T>{x + at[0], xs}, RowOf<const T>{t + at[1], ts});
  }
}

}  // namespace

void kl_div(const KlDivArgs& args) {
  const DeviceRows<5> rows =
      device_rows<5>({&args.x, &args.t, &args.loss, &args.x_lse, &args.t_lse});
  if (rows.count == 0) return;
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    launch_rows(plan_groups(args.x, rows.count), kl_div_rows<T>, rows, row_size(args.x),
                static_cast<C>(args.temperature), static_cast<C>(1 / args.temperature),
                args.x.as<T>(), row_stride(args.x), args.t.as<T>(), row_stride(args.t),
                args.loss.as<T>(), args.x_lse.as<C>(), args.t_lse.as<C>());
  });
}

void kl_div_grad(const KlDivGradArgs& args) {
  const DeviceRows<6> rows =
      device_rows<6>({&args.x, &args.t, &args.x_lse, &args.t_lse, &args.dloss, &args.dx});
  if (rows.count == 0) return;
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    launch_rows(plan_groups(args.x, rows.count), kl_div_grad_rows<T>, rows, row_size(args.x),
                static_cast<C>(args.temperature), static_cast<C>(1 / args.temperature),
                args.x.as<T>(), row_stride(args.x), args.t.as<T>(), row_stride(args.t),
                args.x_lse.as<C>(), args.t_lse.as<C>(), args.dloss.as<T>(), args.dx.as<T>(),
                row_stride(args.dx));
  });
}

}  // namespace athanor::cuda
