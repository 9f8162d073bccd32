#include <algorithm>

#include "tensor/backend/reference/sums.h"

namespace athanor::reference {
namespace {

// The part of a window that lies inside x's plane.
struct Window {
  std::int64_t top, bottom, left, right;  // rows [top, bottom), columns [left, right)

  Window(const Pool2dArgs& a, std::int64_t i, std::int64_t j) {
    top = i * a.stride.h - a.padding.h;
    left = j * a.stride.w - a.padding.w;
    bottom = std::min(top + a.kernel.h, a.x.sizes[2]);
    right = std::min(left + a.kernel.w, a.x.sizes[3]);
    top = std::max<std::int64_t>(top, 0);
    left = std::max<std::int64_t>(left, 0);
  }
};

// Calls f(index of an element of y) for each.
template <class F>
void for_each_output(const Pool2dArgs& a, F&& f) {
  Index at(a.y.sizes, 4);
  for (std::int64_t i = a.y.numel(); i > 0; --i, at.next()) f(at);
}

// Offset of x's element (n, c, row, column), where n and c are those of y's element `at`.
std::int64_t place(const Operand& x, const Index& at, std::int64_t row, std::int64_t column) {
  return at[0] * x.strides[0] + at[1] * x.strides[1] + row * x.strides[2] + column * x.strides[3];
}

// Offset in `x` of the element that a.index names for y's element `at`.
std::int64_t indexed(const Pool2dArgs& a, const Operand& x, const Index& at) {
  const std::int32_t plane = a.index.as<std::int32_t>()[at.offset(a.index.strides)];
  return place(x, at, plane / x.sizes[3], plane % x.sizes[3]);
}

}  // namespace

void max_pool2d(const Pool2dArgs& a) {
  visit(a.x.dtype, [&]<class T>(Tag<T>) {
    const T* x = a.x.as<T>();
    for_each_output(a, [&](const Index& at) {
      const Window window(a, at[2], at[3]);
      std::int64_t best = window.top * a.x.sizes[3] + window.left;
      T largest = x[place(a.x, at, window.top, window.left)];
      for (std::int64_t row = window.top; row < window.bottom; ++row) {
        for (std::int64_t column = window.left; column < window.right; ++column) {
          const T value = x[place(a.x, at, row, column)];
          if (largest != largest || !(value > largest || value != value)) continue;
          largest = value;
          best = row * a.x.sizes[3] + column;
        }
      }
      a.y.as<T>()[at.offset(a.y.strides)] = largest;
      if (!a.index.data) return;
      a.index.as<std::int32_t>()[at.offset(a.index.strides)] = static_cast<std::int32_t>(best);
    });
  });
}

void max_pool2d_backward(const Pool2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    Sums dx(a.x);
    for_each_output(a, [&](const Index& at) {
      dx.values[static_cast<std::size_t>(indexed(a, dx.view, at))] +=
          double(a.y.as<T>()[at.offset(a.y.strides)]);
    });
    dx.write_to(a.x);
  });
}

void max_pool2d_gather(const Pool2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    for_each_output(a, [&](const Index& at) {
      a.y.as<T>()[at.offset(a.y.strides)] = a.x.as<T>()[indexed(a, a.x, at)];
    });
  });
}

void avg_pool2d(const Pool2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    const double area = double(a.kernel.h * a.kernel.w);
    for_each_output(a, [&](const Index& at) {
      const Window window(a, at[2], at[3]);
      double sum = 0;
      for (std::int64_t row = window.top; row < window.bottom; ++row) {
        for (std::int64_t column = window.left; column < window.right; ++column) {
          sum += double(a.x.as<T>()[place(a.x, at, row, column)]);
        }
      }
      a.y.as<T>()[at.offset(a.y.strides)] = static_cast<T>(static_cast<compute_t<T>>(sum / area));
    });
  });
}

void avg_pool2d_backward(const Pool2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    const double area = double(a.kernel.h * a.kernel.w);
    Sums dx(a.x);
    for_each_output(a, [&](const Index& at) {
      const Window window(a, at[2], at[3]);
      const double share = double(a.y.as<T>()[at.offset(a.y.strides)]) / area;
      for (std::int64_t row = window.top; row < window.bottom; ++row) {
        for (std::int64_t column = window.left; column < window.right; ++column) {
          dx.values[static_cast<std::size_t>(place(dx.view, at, row, column))] += share;
        }
      }
    });
    dx.write_to(a.x);
  });
}

}  // namespace athanor::reference
