#include "tensor/backend/attention_args.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/backend/reference/log_sum_exp.h"
#include "tensor/backend/reference/reference.h"

namespace athanor::reference {
namespace {

template <class T>
T& element(const Operand& x, std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t d) {
  const std::int64_t* s = x.strides;
  return x.as<T>()[b * s[0] + h * s[1] + i * s[2] + d * s[3]];
}

// sum_d x[b, h, i, d] y[b, g, j, d]
template <class T>
double dot_of(const Operand& x, std::int64_t b, std::int64_t h, std::int64_t i, const Operand& y,
              std::int64_t g, std::int64_t j) {
  double total = 0;
  for (std::int64_t d = 0; d < x.sizes[3]; ++d) {
    total += double(static_cast<compute_t<T>>(element<T>(x, b, h, i, d))) *
             double(static_cast<compute_t<T>>(element<T>(y, b, g, j, d)));
  }
  return total;
}

// The scores s_ij of the keys that query i sees (the first ones).
template <class T, class Args>
std::vector<double> visible_scores(const Args& a, std::int64_t b, std::int64_t h, std::int64_t i) {
  const std::int64_t Lq = a.q.sizes[2], Lk = a.k.sizes[2], group = a.q.sizes[1] / a.k.sizes[1];
  std::int64_t seen =
      a.key_lengths.data ? a.key_lengths.template as<std::int64_t>()[b] : a.k.sizes[2];
  if (a.causal && i + Lk - Lq + 1 < seen) seen = i + Lk - Lq + 1;
  std::vector<double> s;
  for (std::int64_t j = 0; j < seen; ++j) {
    s.push_back(a.scale * dot_of<T>(a.q, b, h, i, a.k, h / group, j));
    if (a.mask.data) s.back() += double(static_cast<compute_t<T>>(element<T>(a.mask, b, h, i, j)));
  }
  return s;
}

}  // namespace

void attention(const AttentionArgs& a) {
  visit_real(a.q.dtype, [&]<class T>(Tag<T>) {
    const std::int64_t B = a.q.sizes[0], H = a.q.sizes[1], Lq = a.q.sizes[2], D = a.q.sizes[3];
    const std::int64_t group = H / a.k.sizes[1];
    auto* lse = a.lse.as<compute_t<T>>();
    for (std::int64_t b = 0; b < B; ++b) {
      for (std::int64_t h = 0; h < H; ++h) {
        for (std::int64_t i = 0; i < Lq; ++i) {
          const std::vector<double> s = visible_scores<T>(a, b, h, i);
          double largest = -std::numeric_limits<double>::infinity(), total = 0;
          for (double value : s) largest = value > largest || value != value ? value : largest;
          std::vector<double> y(D, 0.0);
          for (std::size_t j = 0; j < s.size() && !std::isinf(largest); ++j) {
            const double p = std::exp(s[j] - largest);
            total += p;
            for (std::int64_t d = 0; d < D; ++d) {
              y[d] += p * double(static_cast<compute_t<T>>(element<T>(a.v, b, h / group, j, d)));
            }
          }
          for (std::int64_t d = 0; d < D; ++d) {
            element<T>(a.y, b, h, i, d) =
                static_cast<T>(static_cast<compute_t<T>>(total == 0 ? 0 : y[d] / total));
          }
          lse[(b * H + h) * Lq + i] = static_cast<compute_t<T>>(largest + std::log(total));
        }
      }
    }
  });
}

void attention_backward(const AttentionBackwardArgs& a) {
  visit_real(a.q.dtype, [&]<class T>(Tag<T>) {
    const std::int64_t B = a.q.sizes[0], H = a.q.sizes[1], Lq = a.q.sizes[2], D = a.q.sizes[3];
    const std::int64_t Hkv = a.k.sizes[1], Lk = a.k.sizes[2], group = H / Hkv;
    const auto* lse = a.lse.as<compute_t<T>>();
    const auto add = [](std::vector<double>& total, std::int64_t row, double factor,
                        const Operand& x, std::int64_t b, std::int64_t h, std::int64_t i) {
      for (std::int64_t d = 0; d < x.sizes[3]; ++d) {
        total[row * x.sizes[3] + d] +=
            factor * double(static_cast<compute_t<T>>(element<T>(x, b, h, i, d)));
      }
    };
    const auto store = [](const std::vector<double>& total, const Operand& x, std::int64_t b,
                          std::int64_t h) {
      for (std::int64_t i = 0; i < x.sizes[2]; ++i) {
        for (std::int64_t d = 0; d < x.sizes[3]; ++d) {
          element<T>(x, b, h, i, d) =
              static_cast<T>(static_cast<compute_t<T>>(total[i * x.sizes[3] + d]));
        }
      }
    };
    for (std::int64_t b = 0; b < B; ++b) {
      for (std::int64_t g = 0; g < Hkv; ++g) {
        std::vector<double> dk(Lk * D, 0.0), dv(Lk * D, 0.0);
        for (std::int64_t h = g * group; h < (g + 1) * group; ++h) {
          std::vector<double> dq(Lq * D, 0.0);
          for (std::int64_t i = 0; i < Lq; ++i) {
            const double row_lse = double(lse[(b * H + h) * Lq + i]);
            if (std::isinf(row_lse)) continue;  // saw no key
            const std::vector<double> s = visible_scores<T>(a, b, h, i);
            const double delta = dot_of<T>(a.dy, b, h, i, a.y, h, i);
            for (std::size_t j = 0; j < s.size(); ++j) {
              const double p = std::exp(s[j] - row_lse);
              const double ds = p * (dot_of<T>(a.dy, b, h, i, a.v, g, j) - delta);
              add(dv, j, p, a.dy, b, h, i);
              add(dk, j, ds * a.scale, a.q, b, h, i);
              add(dq, i, ds * a.scale, a.k, b, g, j);
            }
          }
          store(dq, a.dq, b, h);
        }
        store(dk, a.dk, b, g);
        store(dv, a.dv, b, g);
      }
    }
  });
}

}  // namespace athanor::reference
