#include <bit>
#include <cmath>
#include <limits>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/backend/rows.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"

namespace {

// One pair of contiguous rows with finite largest values. With e_i = exp((t_i - max t) / T), one
// pass over both gives the log-sum-exps and the loss:
//   sum q (log q - log p) = sum e_i (t_i - x_i) / T / sum e + lse(x / T) - lse(t / T)
// With kSlope the exponentials are kept, the teacher's in kept[0 .. n), and slope becomes T (p -
// q).
template <bool kSlope, class T>
T kl_div_lanes(const T* x, const T* t, std::int64_t n, T temperature, T x_top, T t_top, T& x_lse,
               T& t_lse, T* slope, T* kept) {
  using V = typename VectorOf<T>::type;
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  const T scale = T(1) / temperature, x_shift = x_top * scale, t_shift = t_top * scale;
  const V zero{};
  V x_sum{}, t_sum{}, weighted{};
  for_lanes(t, n, kLowest, [&](V teacher, std::int64_t first, std::int64_t count) {
    V student;
    if (count == VectorOf<T>::lanes) {
      student = load_lanes(x + first);
    } else {
      student = zero + kLowest;
      for (std::int64_t i = 0; i < count; ++i) student[i] = x[first + i];
    }
    const V e_x = exp_below_one(student * scale - x_shift);
    const V e_t = exp_below_one(teacher * scale - t_shift);
    x_sum += e_x;
    t_sum += e_t;
    // e = 0 adds nothing, even when t is -inf.
    weighted += e_t == zero ? zero : e_t * (teacher - student);
    if constexpr (kSlope) {
      if (count == VectorOf<T>::lanes) {
        store_lanes(slope + first, e_x);
        store_lanes(kept + first, e_t);
      } else {
        for (std::int64_t i = 0; i < count; ++i) {
          slope[first + i] = e_x[i];
          kept[first + i] = e_t[i];
        }
      }
    }
  });
  const T x_total = sum_lanes<T>(x_sum), t_total = sum_lanes<T>(t_sum);
  x_lse = x_shift + std::log(x_total);
  t_lse = t_shift + std::log(t_total);
  if constexpr (kSlope) {
    const T p = temperature / x_total, q = temperature / t_total;
    for (std::int64_t i = 0; i < n; ++i) slope[i] = slope[i] * p - kept[i] * q;
  }
  return sum_lanes<T>(weighted) * scale / t_total + (x_lse - t_lse);
}

}  // namespace

void kl_div(const KlDivArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) {
    const bool sloped = args.slope.data != nullptr;
    const Rows<6> rows = rows_of<6>(
        {&args.x, &args.t, &args.loss, &args.x_lse, &args.t_lse, sloped ? &args.slope : &args.x});
    const std::int64_t n = row_size(args.x), xs = row_stride(args.x), ts = row_stride(args.t);
    const std::int64_t ss = sloped ? row_stride(args.slope) : 1;
    const T temperature = static_cast<T>(args.temperature), scale = T(1) / temperature;
    parallel_for(rows.count, row_grain(n), [&](std::int64_t begin, std::int64_t end) {
      T* kept = sloped
                    ? static_cast<T*>(cpu::thread_scratch(static_cast<std::size_t>(n) * sizeof(T)))
                    : nullptr;
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = rows.offsets(row);
        const T *x = args.x.as<T>() + at[0], *t = args.t.as<T>() + at[1];
        T& loss = args.loss.as<T>()[at[2]];
        T &x_lse = args.x_lse.as<T>()[at[3]], &t_lse = args.t_lse.as<T>()[at[4]];
        T* slope = sloped ? args.slope.as<T>() + at[5] : nullptr;
        if (xs == 1 && ts == 1 && ss == 1) {
          const T x_top = largest_of(x, n), t_top = largest_of(t, n);
          if (x_top - x_top == T(0) && t_top - t_top == T(0)) {
            loss = temperature * temperature *
                   (sloped ? kl_div_lanes<true>(x, t, n, temperature, x_top, t_top, x_lse, t_lse,
                                                slope, kept)
                           : kl_div_lanes<false>(x, t, n, temperature, x_top, t_top, x_lse, t_lse,
                                                 slope, kept));
            continue;
          }
        }
        x_lse = log_sum_exp(x, n, xs, scale);
        t_lse = log_sum_exp(t, n, ts, scale);
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
        loss = temperature * temperature * total;
        if (!sloped) continue;
        for (std::int64_t i = 0; i < n; ++i) {
          const T p = exp_of(x[i * xs] * scale - x_lse), q = exp_of(t[i * ts] * scale - t_lse);
          slope[i * ss] = temperature * (p - q);
        }
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
