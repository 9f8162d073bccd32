#include <bit>
#include <cmath>
#include <limits>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/rows.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"

namespace {

// One pair of contiguous rows with finite largest values. With e_i = exp((t_i - max t) / T), one
// pass over the teacher gives both its log-sum-exp and the loss:
//   sum q (log q - log p) = sum e_i (t_i - x_i) / T / sum e + lse(x / T) - lse(t / T)
template <class T>
T kl_div_lanes(const T* x, const T* t, std::int64_t n, T scale, T x_top, T t_top, T& x_lse,
               T& t_lse) {
  using V = typename VectorOf<T>::type;
  x_lse = log_sum_exp_lanes(x, n, x_top, scale);
  const T shift = t_top * scale;
  const V zero{};
  V sum{}, weighted{};
  for_lanes(t, n, -std::numeric_limits<T>::infinity(),
            [&](V v, std::int64_t first, std::int64_t count) {
              V student;
              if (count == VectorOf<T>::lanes) {
                student = load_lanes(x + first);
              } else {
                student = zero;
                for (std::int64_t i = 0; i < count; ++i) student[i] = x[first + i];
              }
              const V e = exp_below_one(v * scale - shift);
              sum += e;
              // e = 0 adds nothing, even when t is -inf.
              weighted += e == zero ? zero : e * (v - student);
            });
  const T total = sum_lanes<T>(sum);
  t_lse = shift + std::log(total);
  return sum_lanes<T>(weighted) * scale / total + (x_lse - t_lse);
}

}  // namespace

void kl_div(const KlDivArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) {
    const Rows<5> rows = rows_of<5>({&args.x, &args.t, &args.loss, &args.x_lse, &args.t_lse});
    const std::int64_t n = row_size(args.x), xs = row_stride(args.x), ts = row_stride(args.t);
    const T temperature = static_cast<T>(args.temperature), scale = T(1) / temperature;
    parallel_for(rows.count, row_grain(n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = rows.offsets(row);
        const T *x = args.x.as<T>() + at[0], *t = args.t.as<T>() + at[1];
        if (xs == 1 && ts == 1) {
          const T x_top = largest_of(x, n), t_top = largest_of(t, n);
          if (x_top - x_top == T(0) && t_top - t_top == T(0)) {
            const T loss = kl_div_lanes(x, t, n, scale, x_top, t_top, args.x_lse.as<T>()[at[3]],
                                        args.t_lse.as<T>()[at[4]]);
            args.loss.as<T>()[at[2]] = temperature * temperature * loss;
            continue;
          }
        }
        const T x_lse = log_sum_exp(x, n, xs, scale), t_lse = log_sum_exp(t, n, ts, scale);
        T total = 0;
        for_pieces(t, n, ts, [&](const T* from, std::int64_t count, std::int64_t first) {
          T term[kRowPiece];
          const T* student = x + first * xs;
          for (std::int64_t i = 0; i < count; ++i) {
            const T log_q = from[i] * scale - t_lse;
            const T q = exp_of(log_q);
            // q = 0 adds nothing, even when log q is -inf.
            term[i] = q == T(0) ? T(0) : q * (log_q - (student[i * xs] * scale - x_lse));
          }
          total += reduce_row<SumOf>(static_cast<const T*>(term), count);
        });
        args.loss.as<T>()[at[2]] = temperature * temperature * total;
        args.x_lse.as<T>()[at[3]] = x_lse;
        args.t_lse.as<T>()[at[4]] = t_lse;
      }
    });
  });
}

void kl_div_grad(const KlDivGradArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) {
    const Rows<6> rows =
        rows_of<6>({&args.x, &args.t, &args.x_lse, &args.t_lse, &args.dloss, &args.dx});
    const std::int64_t n = row_size(args.x);
    const std::int64_t xs = row_stride(args.x), ts = row_stride(args.t), ds = row_stride(args.dx);
    const T temperature = static_cast<T>(args.temperature), scale = T(1) / temperature;
    parallel_for(rows.count, row_grain(n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = rows.offsets(row);
        const T *x = args.x.as<T>() + at[0], *t = args.t.as<T>() + at[1];
        const T x_lse = args.x_lse.as<T>()[at[2]], t_lse = args.t_lse.as<T>()[at[3]];
        const T factor = args.dloss.as<T>()[at[4]] * temperature;
        T* dx = args.dx.as<T>() + at[5];
        const auto loop = [&](std::int64_t a, std::int64_t b, std::int64_t c) {
          for (std::int64_t i = 0; i < n; ++i) {
            const T p = exp_of(x[i * a] * scale - x_lse), q = exp_of(t[i * b] * scale - t_lse);
            dx[i * c] = factor * (p - q);
          }
        };
        if (xs == 1 && ts == 1 && ds == 1) {
          std::int64_t i = 0;
          for (; i + VectorOf<T>::lanes <= n; i += VectorOf<T>::lanes) {
            const auto p = exp_below_one(load_lanes(x + i) * scale - x_lse);
            const auto q = exp_below_one(load_lanes(t + i) * scale - t_lse);
            store_lanes(dx + i, (p - q) * factor);
          }
          for (; i < n; ++i) {
            const T p = exp_below_one(x[i] * scale - x_lse),
                    q = exp_below_one(t[i] * scale - t_lse);
            dx[i] = (p - q) * factor;
          }
        } else {
          loop(xs, ts, ds);
        }
      }
    });
  });
}

#include "tensor/backend/cpu/isa_end.h"
