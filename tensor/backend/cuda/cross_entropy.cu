// Softmax and cross-entropy in one: one pass over a row of scores, no probabilities in memory.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

// Where `rows` are the offsets of x, targets, loss and lse.
template <class T>
__global__ void __launch_bounds__(kMostGroup)
    cross_entropy_rows(int threads, DeviceRows<4> rows, std::int64_t n, compute_t<T> smoothing,
                       const T* x, std::int64_t xs, const std::int64_t* targets, T* loss,
                       compute_t<T>* lse, std::int32_t* error) {
  using C = compute_t<T>;
  const Group group(threads);
  for_each_row(group, rows, [&](std::int64_t, bool present, const std::int64_t(&at)[4]) {
    LogSumExp<C> part = LogSumExp<C>::identity();
    C sum = 0;
    for_row(
        group, present ? n : 0,
        [&](std::int64_t, T v) {
          part.add(wide(v));
          sum += wide(v);
        },
        RowOf<const T>{x + at[0], xs});
    const C log_sum = group.all<LogSumExp<C>>(part).value();
    const C mean = smoothing == C(0) ? C(0) : group.all<Sum<C>>(sum) / static_cast<C>(n);
    if (!present || group.rank() != 0) return;
    const std::int64_t target = targets[at[1]];
    const C score = check_index(target, n, error) ? wide(x[at[0] + target * xs]) : C(0);
    const C value = log_sum - (C(1) - smoothing) * score;
    loss[at[2]] = narrow<T>(smoothing == C(0) ? value : value - smoothing * mean);
    lse[at[3]] = log_sum;
  });
}

// The offsets of x, targets, lse, dloss and dx.
template <class T>
__global__ void __launch_bounds__(kMostGroup)
    cross_entropy_grad_rows(int threads, DeviceRows<5> rows, std::int64_t n, compute_t<T> smoothing,
                            const T* x, std::int64_t xs, const std::int64_t* targets,
                            const compute_t<T>* lse, const T* dloss, T* dx, std::int64_t dxs) {
  using C = compute_t<T>;
  const Group group(threads);
  for (std::int64_t row = group.first_row(); row < rows.count; row += group.row_step()) {
    std::int64_t at[5];
    rows.offsets(row, at);
    const std::int64_t target = targets[at[1]];
    const C log_sum = lse[at[2]], scale = wide(dloss[at[3]]);
    const C everywhere = smoothing / static_cast<C>(n), there = C(1) - smoothing;
    map_row(
        group, n,
        [&](std::int64_t i, T v) {
          const C t = everywhere + (i == target ? there : C(0));
          return narrow<T>(scale * (::exp(wide(v) - log_sum) - t));
        },
        RowOf<T>{dx + at[4], dxs}, RowOf<const T>{x + at[0], xs});
  }
}

}  // namespace

void cross_entropy(const CrossEntropyArgs& args) {
  const DeviceRows<4> rows = device_rows<4>({&args.x, &args.targets, &args.loss, &args.lse});
  if (rows.count == 0) return;
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    launch_rows(plan_groups(args.x, rows.count), cross_entropy_rows<T>, rows, row_size(args.x),
                static_cast<C>(args.smoothing), args.x.as<T>(), row_stride(args.x),
                args.targets.as<std::int64_t>(), args.loss.as<T>(), args.lse.as<C>(),
                index_error());
  });
}

void cross_entropy_grad(const CrossEntropyGradArgs& args) {
  const DeviceRows<5> rows =
      device_rows<5>({&args.x, &args.targets, &args.lse, &args.dloss, &args.dx});
  if (rows.count == 0) return;
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    launch_rows(plan_groups(args.x, rows.count), cross_entropy_grad_rows<T>, rows, row_size(args.x),
                static_cast<C>(args.smoothing), args.x.as<T>(), row_stride(args.x),
                args.targets.as<std::int64_t>(), args.lse.as<C>(), args.dloss.as<T>(),
                args.dx.as<T>(), row_stride(args.dx));
  });
}

}  // namespace athanor::cuda
