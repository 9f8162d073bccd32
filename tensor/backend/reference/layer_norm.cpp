#include <cmath>
#include <vector>

#include "tensor/backend/norm_args.h"
#include "tensor/backend/reference/log_sum_exp.h"
#include "tensor/backend/reference/reference.h"

namespace athanor::reference {
namespace {

// Element i of an operand of type T, or `absent` when the operand has no data.
template <class T>
double value_or(const Operand& x, std::int64_t i, double absent = 0) {
  return x.data ? double(static_cast<compute_t<T>>(x.as<T>()[i])) : absent;
}

template <class T>
T rounded_to(double x) {
  return static_cast<T>(static_cast<compute_t<T>>(x));
}

}  // namespace

void row_norm(const RowNormArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    const std::int64_t n = a.x.sizes[a.x.rank - 1], rows = a.mean.numel();
    const double count = double(n);
    for (std::int64_t row = 0; row < rows; ++row) {
      Operand x = a.x;
      if (a.residual.data) {
        x = a.sum;
        for (std::int64_t i = row * n; i < (row + 1) * n; ++i) {
          x.as<T>()[i] = rounded_to<T>(value_or<T>(a.x, i) + value_or<T>(a.residual, i));
        }
      }
      double mean = 0, squares = 0;
      if (a.op == RowNormOp::layer_norm) {
        for (std::int64_t i = 0; i < n; ++i) mean += value_or<T>(x, row * n + i);
        mean /= count;
      }
      for (std::int64_t i = 0; i < n; ++i) {
        const double centred = value_or<T>(x, row * n + i) - mean;
        squares += centred * centred;
      }
      const double rstd = 1 / std::sqrt(squares / count + a.epsilon);
      for (std::int64_t i = 0; i < n; ++i) {
        const double xhat = (value_or<T>(x, row * n + i) - mean) * rstd;
        a.y.as<T>()[row * n + i] =
            rounded_to<T>(xhat * value_or<T>(a.gamma, i, 1) + value_or<T>(a.beta, i, 0));
      }
      a.mean.as<compute_t<T>>()[row] = static_cast<compute_t<T>>(mean);
      a.rstd.as<compute_t<T>>()[row] = static_cast<compute_t<T>>(rstd);
    }
  });
}

void row_norm_backward(const RowNormBackwardArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    const std::int64_t n = a.x.sizes[a.x.rank - 1], rows = a.mean.numel();
    std::vector<double> dgamma(n, 0.0), dbeta(n, 0.0);
    for (std::int64_t row = 0; row < rows; ++row) {
      const double mean = double(a.mean.as<compute_t<T>>()[row]);
      const double rstd = double(a.rstd.as<compute_t<T>>()[row]);
      const auto xhat = [&](std::int64_t i) {
        return (value_or<T>(a.x, row * n + i) - mean) * rstd;
      };
      const auto g = [&](std::int64_t i) {
        return value_or<T>(a.dy, row * n + i) * value_or<T>(a.gamma, i, 1);
      };
      double mean_g = 0, mean_gx = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        if (a.op == RowNormOp::layer_norm) mean_g += g(i) / double(n);
        mean_gx += g(i) * xhat(i) / double(n);
        dgamma[i] += value_or<T>(a.dy, row * n + i) * xhat(i);
        dbeta[i] += value_or<T>(a.dy, row * n + i);
      }
      for (std::int64_t i = 0; i < n; ++i) {
        const double dx = rstd * (g(i) - mean_g - xhat(i) * mean_gx);
        a.dx.as<T>()[row * n + i] = rounded_to<T>(dx + value_or<T>(a.dsum, row * n + i));
      }
    }
    for (std::int64_t i = 0; i < n; ++i) {
      if (a.dgamma.data) a.dgamma.as<T>()[i] = rounded_to<T>(dgamma[i]);
      if (a.dbeta.data) a.dbeta.as<T>()[i] = rounded_to<T>(dbeta[i]);
    }
  });
}

}  // namespace athanor::reference
