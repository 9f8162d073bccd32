#include <vector>

#include "tensor/backend/reference/pool_pairs.h"
#include "tensor/backend/reference/sums.h"

namespace athanor::reference {
namespace {

// Calls tap(offset in x, offset in w, offset in y) for each product of the convolution. The three
// kernels differ only in which of the three they add to.
template <class F>
void for_each_tap(const Conv2dArgs& a, const Operand& x, const Operand& w, const Operand& y,
                  F&& tap) {
  const std::int64_t O = y.sizes[1], I = w.sizes[1], group_size = O / a.groups;
  Index at(y.sizes, 4);
  for (std::int64_t i = y.numel(); i > 0; --i, at.next()) {
    const std::int64_t y_at = at.offset(y.strides), o = at[1];
    const std::int64_t top = at[2] * a.stride.h - a.padding.h;
    const std::int64_t left = at[3] * a.stride.w - a.padding.w;
    const std::int64_t first = o / group_size * I;
    for (std::int64_t p = 0; p < w.sizes[2]; ++p) {
      const std::int64_t row = top + p * a.dilation.h;
      if (row < 0 || row >= x.sizes[2]) continue;
      for (std::int64_t q = 0; q < w.sizes[3]; ++q) {
        const std::int64_t column = left + q * a.dilation.w;
        if (column < 0 || column >= x.sizes[3]) continue;
        std::int64_t x_at = at[0] * x.strides[0] + first * x.strides[1] + row * x.strides[2] +
                            column * x.strides[3];
        std::int64_t w_at = o * w.strides[0] + p * w.strides[2] + q * w.strides[3];
        for (std::int64_t c = 0; c < I; ++c, x_at += x.strides[1], w_at += w.strides[1]) {
          tap(x_at, w_at, y_at);
        }
      }
    }
  }
}

std::size_t place(std::int64_t at) { return static_cast<std::size_t>(at); }

}  // namespace

void conv2d(const Conv2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    if (a.pool) {  // of a convolution that is kept
      const std::int64_t O = a.y.sizes[1], H = 2 * a.y.sizes[2], W = 2 * a.y.sizes[3];
      const std::int64_t sizes[] = {a.y.sizes[0], O, H, W}, strides[] = {O * H * W, H * W, W, 1};
      std::vector<T> values(place(sizes[0] * strides[0]));
      Conv2dArgs whole = a;
      whole.pool = false;
      whole.y = {values.data(), sizes, strides, 4, a.y.dtype};
      conv2d(whole);
      return pool_pairs<T>(whole.y, a.y);
    }
    const T *x = a.x.as<T>(), *w = a.w.as<T>(), *b = a.b.as<T>();
    Sums sums(a.y);
    if (b) {
      Index at(a.y.sizes, 4);
      for (double& sum : sums.values) {
        sum = b[at[1] * a.b.strides[0]];
        at.next();
      }
    }
    for_each_tap(a, a.x, a.w, sums.view,
                 [&](std::int64_t x_at, std::int64_t w_at, std::int64_t y_at) {
                   sums.values[place(y_at)] += double(x[x_at]) * double(w[w_at]);
                 });
    for (double& sum : sums.values) sum = a.relu && sum < 0 ? 0 : sum;
    sums.write_to(a.y);
  });
}

void conv2d_backward_input(const Conv2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    const T *w = a.w.as<T>(), *dy = a.y.as<T>();
    Sums sums(a.x);
    for_each_tap(a, sums.view, a.w, a.y,
                 [&](std::int64_t x_at, std::int64_t w_at, std::int64_t y_at) {
                   sums.values[place(x_at)] += double(dy[y_at]) * double(w[w_at]);
                 });
    sums.write_to(a.x);
  });
}

void conv2d_backward_weight(const Conv2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    const T *x = a.x.as<T>(), *dy = a.y.as<T>();
    Sums sums(a.w);
    for_each_tap(a, a.x, sums.view, a.y,
                 [&](std::int64_t x_at, std::int64_t w_at, std::int64_t y_at) {
                   sums.values[place(w_at)] += double(dy[y_at]) * double(x[x_at]);
                 });
    sums.write_to(a.w);
    if (!a.b.data) return;
    Sums bias(a.b);
    Index at(a.y.sizes, 4);
    for (std::int64_t i = a.y.numel(); i > 0; --i, at.next()) {
      bias.values[place(at[1])] += double(dy[at.offset(a.y.strides)]);
    }
    bias.write_to(a.b);
  });
}

}  // namespace athanor::reference
