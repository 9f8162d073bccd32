// Softmax, its logarithm and gradient, and log-sum-exp. Rows that fit in their group's registers
// are read once, with one exponential an element; others in two passes, the first of which keeps
// the largest value and the sum at once.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kMostGroup)
    softmax_rows(int threads, DeviceRows<2> rows, std::int64_t n, bool log, const T* x,
                 std::int64_t xs, T* y, std::int64_t ys) {
  using C = compute_t<T>;
  const Group group(threads);
  for_each_row(group, rows, [&](std::int64_t, bool present, const std::int64_t(&at)[2]) {
    const std::int64_t length = present ? n : 0;
    const RowOf<const T> from{x + at[0], xs};
    LogSumExp<C> part = LogSumExp<C>::identity();
    for_row(
        group, length, [&](std::int64_t, T v) { part.add(wide(v)); }, from);
    const LogSumExp<C> total = group.all<LogSumExp<C>>(part);
    const C largest = total.largest, lse = total.value(), scale = C(1) / total.sum;
    const RowOf<T> to{y + at[1], ys};
    if (log) {
      map_row(
          group, length, [&](std::int64_t, T v) { return narrow<T>(wide(v) - lse); }, to, from);
    } else {
      map_row(
          group, length,
          [&](std::int64_t, T v) { return narrow<T>(::exp(wide(v) - largest) * scale); }, to, from);
    }
  });
}

template <class C>
struct Larger {  // NaN loses: it shows in the sum
  static __device__ C identity() {
    constexpr C lowest = kLowest<C>;
    return lowest;
  }
  static __device__ C join(C a, C b) { return ::fmax(a, b); }
};

template <class T>
__global__ void __launch_bounds__(kMostGroup)
    softmax_kept_rows(int threads, DeviceRows<2> rows, int n, bool log, const T* x, T* y) {
  using C = compute_t<T>;
  const Group group(threads);
  for_each_row(group, rows, [&](std::int64_t, bool present, const std::int64_t(&at)[2]) {
    KeptRow<T> row(group, present ? n : 0, x + at[0]);
    C largest = Larger<C>::identity(), sum = 0;
    row.each([&](C v) { largest = Larger<C>::join(largest, v); });
    largest = group.all<Larger<C>>(largest);
    const auto add_shares = [&](auto of_infinity) {
      row.each([&](C& v) {
        const C share = ::exp(v - largest);
        sum += of_infinity && v == largest ? C(1) : share;
        if (!log) v = share;
      });
    };
    if (largest - largest == C(0)) {
      add_shares(std::false_type{});
    } else {
      add_shares(std::true_type{});
    }
    sum = group.all<Sum<C>>(sum);
    const C factor = log ? C(1) : C(1) / sum, minus = log ? largest + ::log(sum) : C(0);
    row.each_pack([&](int i, C* values) {
      for (int k = 0; k < KeptRow<T>::kPack; ++k) values[k] = values[k] * factor - minus;
      row.store(y + at[1] + i, values);
    });
  });
}

template <class T>
__global__ void __launch_bounds__(kMostGroup)
    softmax_grad_rows(int threads, DeviceRows<3> rows, std::int64_t n, bool log, const T* y,
                      std::int64_t ys, const T* dy, std::int64_t ds, T* dx, std::int64_t xs) {
  using C = compute_t<T>;
  const Group group(threads);
  for_each_row(group, rows, [&](std::int64_t, bool present, const std::int64_t(&at)[3]) {
    const std::int64_t length = present ? n : 0;
    const RowOf<const T> of_y{y + at[0], ys}, of_dy{dy + at[1], ds};
    C part = 0;
    for_row(
        group, length, [&](std::int64_t, T v, T d) { part += log ? wide(d) : wide(d) * wide(v); },
        of_y, of_dy);
    const C total = group.all<Sum<C>>(part);
    map_row(
        group, length,
        [&](std::int64_t, T v, T d) {
          const C p = wide(v), g = wide(d);
          return narrow<T>(log ? g - ::exp(p) * total : p * (g - total));
        },
        RowOf<T>{dx + at[2], xs}, of_y, of_dy);
  });
}

template <class T>
__global__ void __launch_bounds__(kMostGroup)
    logsumexp_rows(int threads, DeviceRows<2> rows, std::int64_t n, const T* x, std::int64_t xs,
                   T* y) {
  using C = compute_t<T>;
  const Group group(threads);
  for_each_row(group, rows, [&](std::int64_t, bool present, const std::int64_t(&at)[2]) {
    LogSumExp<C> part = LogSumExp<C>::identity();
    for_row(
        group, present ? n : 0, [&](std::int64_t, T v) { part.add(wide(v)); },
        RowOf<const T>{x + at[0], xs});
    const LogSumExp<C> total = group.all<LogSumExp<C>>(part);
    if (present && group.rank() == 0) y[at[1]] = narrow<T>(total.value());
  });
}

}  // namespace

void softmax(const SoftmaxArgs& args) {
  const DeviceRows<2> rows = device_rows<2>({&args.x, &args.y});
  if (rows.count == 0 || row_size(args.x) == 0) return;
  const GroupPlan plan = plan_groups(args.x, rows.count);
  const bool log = args.op == SoftmaxOp::log_softmax;
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    if (keeps_rows<T, 2>(plan, rows, {&args.x, &args.y})) {
      return launch_rows(plan, softmax_kept_rows<T>, rows, static_cast<int>(row_size(args.x)), log,
                         args.x.as<T>(), args.y.as<T>());
    }
    launch_rows(plan, softmax_rows<T>, rows, row_size(args.x), log, args.x.as<T>(),
                row_stride(args.x), args.y.as<T>(), row_stride(args.y));
  });
}

void softmax_grad(const SoftmaxGradArgs& args) {
  const DeviceRows<3> rows = device_rows<3>({&args.y, &args.dy, &args.dx});
  if (rows.count == 0 || row_size(args.y) == 0) return;
  visit_real(args.y.dtype, [&]<class T>(Tag<T>) {
    launch_rows(plan_groups(args.y, rows.count), softmax_grad_rows<T>, rows, row_size(args.y),
                args.op == SoftmaxOp::log_softmax, args.y.as<T>(), row_stride(args.y),
                args.dy.as<T>(), row_stride(args.dy), args.dx.as<T>(), row_stride(args.dx));
  });
}

void logsumexp(const LogSumExpArgs& args) {
  const DeviceRows<2> rows = device_rows<2>({&args.x, &args.y});
  if (rows.count == 0) return;
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    launch_rows(plan_groups(args.x, rows.count), logsumexp_rows<T>, rows, row_size(args.x),
                args.x.as<T>(), row_stride(args.x), args.y.as<T>());
  });
}

}  // namespace athanor::cuda
