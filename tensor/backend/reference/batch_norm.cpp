#include "tensor/backend/reference/reference.h"

namespace athanor::reference {
namespace {

// Calls f(index) for each element of channel c.
template <class F>
void for_each_in_channel(const Operand& x, std::int64_t c, F&& f) {
  Index at(x.sizes, x.rank);
  for (std::int64_t i = x.numel(); i > 0; --i, at.next()) {
    if (at[1] == c) f(at);
  }
}

}  // namespace

void batch_norm_statistics(const BatchNormStatisticsArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    const double M = double(a.x.numel() / a.x.sizes[1]);
    for (std::int64_t c = 0; c < a.x.sizes[1]; ++c) {
      double sum = 0, squares = 0;
      const auto value = [&](const Index& at) {
        return double(a.x.as<T>()[at.offset(a.x.strides)]);
      };
      for_each_in_channel(a.x, c, [&](const Index& at) { sum += value(at); });
      const double mean = sum / M;
      for_each_in_channel(
          a.x, c, [&](const Index& at) { squares += (value(at) - mean) * (value(at) - mean); });
      a.mean.as<T>()[c] = static_cast<T>(mean);
      a.variance.as<T>()[c] = static_cast<T>(squares / M);
    }
  });
}

void batch_norm(const BatchNormArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    // The normalised element at `offset` of x.
    const auto normalised = [&](std::int64_t c, std::int64_t offset) {
      const T xhat = (a.x.as<T>()[offset] - a.mean.as<T>()[c]) * a.rstd.as<T>()[c];
      const T y = xhat * a.gamma.as<T>()[c] + a.beta.as<T>()[c];
      return a.relu && y < T(0) ? T(0) : y;
    };
    Index at(a.y.sizes, a.y.rank);
    for (std::int64_t i = a.y.numel(); i > 0; --i, at.next()) {
      T& y = a.y.as<T>()[at.offset(a.y.strides)];
      if (!a.index.data) {
        y = normalised(at[1], at.offset(a.x.strides));
        continue;
      }
      std::int32_t& index = a.index.as<std::int32_t>()[at.offset(a.index.strides)];
      for (std::int64_t tap = 0; tap < 4; ++tap) {
        const std::int64_t h = 2 * at[2] + tap / 2, w = 2 * at[3] + tap % 2;
        const std::int64_t* s = a.x.strides;
        const T value = normalised(at[1], at[0] * s[0] + at[1] * s[1] + h * s[2] + w * s[3]);
        if (tap > 0 && !(!(value <= y) && y == y)) continue;  // NaN wins, the first one stays
        y = value;
        index = static_cast<std::int32_t>(h * a.x.sizes[3] + w);
      }
    }
  });
}

void batch_norm_backward(const BatchNormBackwardArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    const double M = double(a.x.numel() / a.x.sizes[1]);
    for (std::int64_t c = 0; c < a.x.sizes[1]; ++c) {
      const T mean = a.mean.as<T>()[c], rstd = a.rstd.as<T>()[c];
      const T gamma = a.gamma.as<T>()[c], beta = a.beta.as<T>()[c];
      const auto xhat = [&](const Index& at) {
        return (a.x.as<T>()[at.offset(a.x.strides)] - mean) * rstd;
      };
      const auto dy = [&](const Index& at) {
        if (a.relu && !(xhat(at) * gamma + beta > T(0))) return T(0);
        if (!a.index.data) return a.dy.as<T>()[at.offset(a.dy.strides)];
        const auto in_window = [&](const std::int64_t* s) {
          return at[0] * s[0] + at[1] * s[1] + at[2] / 2 * s[2] + at[3] / 2 * s[3];
        };
        const auto chosen = a.index.as<std::int32_t>()[in_window(a.index.strides)];
        const bool largest = chosen == at[2] * a.x.sizes[3] + at[3];
        return largest ? a.dy.as<T>()[in_window(a.dy.strides)] : T(0);
      };
      double dgamma = 0, dbeta = 0;
      for_each_in_channel(a.x, c, [&](const Index& at) {
        dgamma += double(dy(at)) * double(xhat(at));
        dbeta += double(dy(at));
      });
      for_each_in_channel(a.x, c, [&](const Index& at) {
        const double centred = double(dy(at)) - dbeta / M - double(xhat(at)) * dgamma / M;
        a.dx.as<T>()[at.offset(a.dx.strides)] = static_cast<T>(gamma * rstd * centred);
      });
      a.dgamma.as<T>()[c] = static_cast<T>(dgamma);
      a.dbeta.as<T>()[c] = static_cast<T>(dbeta);
    }
  });
}

}  // namespace athanor::reference
