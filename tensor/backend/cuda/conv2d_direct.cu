#include "tensor/backend/cuda/fallback.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

// Sizes and strides of [N, C, H, W] or [O, I, kH, kW].
struct Grid4 {
  std::int64_t size[4], stride[4];

  explicit Grid4(const Operand& x) {
    for (int i = 0; i < 4; ++i) {
      size[i] = x.sizes[i];
      stride[i] = x.strides[i];
    }
  }
  std::int64_t count() const { return size[0] * size[1] * size[2] * size[3]; }
  // The place numbered `index` in the order 0, 2, 3, 1: channels fastest, as images lie in memory.
  __device__ void place(std::int64_t index, std::int64_t (&at)[4]) const {
    std::int64_t next = quotient(index, size[1]);
    at[1] = index - next * size[1];
    index = next;
    next = quotient(index, size[3]);
    at[3] = index - next * size[3];
    at[0] = quotient(next, size[2]);
    at[2] = next - at[0] * size[2];
  }
  __device__ std::int64_t offset(std::int64_t a, std::int64_t b, std::int64_t c,
                                 std::int64_t d) const {
    return a * stride[0] + b * stride[1] + c * stride[2] + d * stride[3];
  }
};

struct Conv {
  Size2 stride, padding, dilation;
  Grid4 x, w, y;
  std::int64_t group_outputs;  // of one group

  explicit Conv(const Conv2dArgs& a)
      : stride(a.stride),
        padding(a.padding),
        dilation(a.dilation),
        x(a.x),
        w(a.w),
        y(a.y),
        group_outputs(a.y.sizes[1] / a.groups) {}
};

// Products of the 16-bit formats are added in float, the others in double as the reference does.
template <class T>
using conv_sum_t = std::conditional_t<sizeof(T) == 2, float, double>;

template <class T>
__device__ inline conv_sum_t<T> product(T a, T b) {
  return static_cast<conv_sum_t<T>>(wide(a)) * static_cast<conv_sum_t<T>>(wide(b));
}

template <class T>
__global__ void forward(Conv p, const T* x, const T* w, const T* b, std::int64_t b_stride, T* y,
                        std::int64_t count) {
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    std::int64_t at[4];
    p.y.place(i, at);
    const std::int64_t o = at[1], first = o / p.group_outputs * p.w.size[1];
    conv_sum_t<T> sum = b ? static_cast<conv_sum_t<T>>(wide(b[o * b_stride])) : 0;
    for (std::int64_t r = 0; r < p.w.size[2]; ++r) {
      const std::int64_t row = at[2] * p.stride.h - p.padding.h + r * p.dilation.h;
      if (row < 0 || row >= p.x.size[2]) continue;
      for (std::int64_t q = 0; q < p.w.size[3]; ++q) {
        const std::int64_t column = at[3] * p.stride.w - p.padding.w + q * p.dilation.w;
        if (column < 0 || column >= p.x.size[3]) continue;
        const T* of_x = x + p.x.offset(at[0], first, row, column);
        const T* of_w = w + p.w.offset(o, 0, r, q);
        for (std::int64_t c = 0; c < p.w.size[1]; ++c) {
          sum += product(of_x[c * p.x.stride[1]], of_w[c * p.w.stride[1]]);
        }
      }
    }
    y[p.y.offset(at[0], o, at[2], at[3])] = narrow<T>(static_cast<compute_t<T>>(sum));
  }
}

// The place of y whose window's tap `t` is place `at` of x; false if there is none.
__device__ inline bool window_with(std::int64_t at, std::int64_t t, std::int64_t stride,
                                   std::int64_t padding, std::int64_t dilation, std::int64_t size,
                                   std::int64_t* window) {
  const std::int64_t from = at + padding - t * dilation;
  if (from < 0 || from % stride != 0) return false;
  *window = from / stride;
  return *window < size;
}

template <class T>
__global__ void backward_input(Conv p, T* dx, const T* w, const T* dy, std::int64_t count) {
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    std::int64_t at[4], h, v;
    p.x.place(i, at);
    const std::int64_t group = at[1] / p.w.size[1], c = at[1] - group * p.w.size[1];
    const std::int64_t first = group * p.group_outputs;
    conv_sum_t<T> sum = 0;
    for (std::int64_t r = 0; r < p.w.size[2]; ++r) {
      if (!window_with(at[2], r, p.stride.h, p.padding.h, p.dilation.h, p.y.size[2], &h)) continue;
      for (std::int64_t q = 0; q < p.w.size[3]; ++q) {
        if (!window_with(at[3], q, p.stride.w, p.padding.w, p.dilation.w, p.y.size[3], &v)) {
          continue;
        }
        const T* of_w = w + p.w.offset(first, c, r, q);
        const T* of_dy = dy + p.y.offset(at[0], first, h, v);
        for (std::int64_t o = 0; o < p.group_outputs; ++o) {
          sum += product(of_w[o * p.w.stride[0]], of_dy[o * p.y.stride[1]]);
        }
      }
    }
    dx[p.x.offset(at[0], at[1], at[2], at[3])] = narrow<T>(static_cast<compute_t<T>>(sum));
  }
}

// A warp a weight: its lanes share the places of y.
template <class T>
__global__ void backward_weight(Conv p, const T* x, T* dw, const T* dy, std::int64_t count) {
  const Group warp(kWarp);
  const std::int64_t places = p.y.size[0] * p.y.size[2] * p.y.size[3];
  for (std::int64_t i = warp.first_row(); i < count; i += warp.row_step()) {
    std::int64_t at[4];  // o, c, r, q
    p.w.place(i, at);
    const std::int64_t channel = at[0] / p.group_outputs * p.w.size[1] + at[1];
    conv_sum_t<T> sum = 0;
    for (std::int64_t k = warp.rank(); k < places; k += kWarp) {
      const std::int64_t row_of_y = quotient(k, p.y.size[3]), v = k - row_of_y * p.y.size[3];
      const std::int64_t n = quotient(row_of_y, p.y.size[2]), h = row_of_y - n * p.y.size[2];
      const std::int64_t row = h * p.stride.h - p.padding.h + at[2] * p.dilation.h;
      const std::int64_t column = v * p.stride.w - p.padding.w + at[3] * p.dilation.w;
      if (row < 0 || row >= p.x.size[2] || column < 0 || column >= p.x.size[3]) continue;
      sum += product(x[p.x.offset(n, channel, row, column)], dy[p.y.offset(n, at[0], h, v)]);
    }
    sum = warp.all<Sum<conv_sum_t<T>>>(sum);
    if (warp.rank() == 0) {
      dw[p.w.offset(at[0], at[1], at[2], at[3])] = narrow<T>(static_cast<compute_t<T>>(sum));
    }
  }
}

// A warp a channel of y.
template <class T>
__global__ void backward_bias(Conv p, T* db, std::int64_t b_stride, const T* dy) {
  const Group warp(kWarp);
  const std::int64_t places = p.y.size[0] * p.y.size[2] * p.y.size[3];
  for (std::int64_t o = warp.first_row(); o < p.y.size[1]; o += warp.row_step()) {
    conv_sum_t<T> sum = 0;
    for (std::int64_t k = warp.rank(); k < places; k += kWarp) {
      const std::int64_t row_of_y = quotient(k, p.y.size[3]), v = k - row_of_y * p.y.size[3];
      const std::int64_t n = quotient(row_of_y, p.y.size[2]), h = row_of_y - n * p.y.size[2];
      sum += static_cast<conv_sum_t<T>>(wide(dy[p.y.offset(n, o, h, v)]));
    }
    sum = warp.all<Sum<conv_sum_t<T>>>(sum);
    if (warp.rank() == 0) db[o * b_stride] = narrow<T>(static_cast<compute_t<T>>(sum));
  }
}

std::int64_t bias_stride(const Operand& b) { return b.data ? b.strides[0] : 0; }

}  // namespace

void conv2d_direct(const Conv2dArgs& a) {
  const Conv p(a);
  const std::int64_t count = p.y.count();
  if (count == 0) return;
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    launch_kernel(forward<T>, grid_for(count), Dim3{kBlock}, 0, current_stream(), p,
                  a.x.as<const T>(), a.w.as<const T>(), a.b.as<const T>(), bias_stride(a.b),
                  a.y.as<T>(), count);
  });
}

void conv2d_direct_backward_input(const Conv2dArgs& a) {
  const Conv p(a);
  const std::int64_t count = p.x.count();
  if (count == 0) return;
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    launch_kernel(backward_input<T>, grid_for(count), Dim3{kBlock}, 0, current_stream(), p,
                  a.x.as<T>(), a.w.as<const T>(), a.y.as<const T>(), count);
  });
}

void conv2d_direct_backward_weight(const Conv2dArgs& a) {
  const Conv p(a);
  const std::int64_t count = p.w.count();
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    if (count > 0) {
      launch_kernel(backward_weight<T>, grid_for(count * kWarp), Dim3{kBlock}, 0, current_stream(),
                    p, a.x.as<const T>(), a.w.as<T>(), a.y.as<const T>(), count);
    }
    if (a.b.data && p.y.size[1] > 0) {
      launch_kernel(backward_bias<T>, grid_for(p.y.size[1] * kWarp), Dim3{kBlock}, 0,
                    current_stream(), p, a.b.as<T>(), bias_stride(a.b), a.y.as<const T>());
    }
  });
}

}  // namespace athanor::cuda
