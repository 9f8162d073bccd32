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
    Index at(a.x.sizes, a.x.rank);
    for (std::int64_t i = a.x.numel(); i > 0; --i, at.next()) {
      const std::int64_t c = at[1];
      const T xhat = (a.x.as<T>()[at.offset(a.x.strides)] - a.mean.as<T>()[c]) * a.rstd.as<T>()[c];
      const T y = xhat * a.gamma.as<T>()[c] + a.beta.as<T>()[c];
      a.y.as<T>()[at.offset(a.y.strides)] = a.relu && y < T(0) ? T(0) : y;
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
        const bool cut = a.relu && !(xhat(at) * gamma + beta > T(0));
        return cut ? T(0) : a.dy.as<T>()[at.offset(a.dy.strides)];
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
