// Pooling: a thread an element of the result, channels fastest, as images lie in memory. The
// backward kernels gather what each place of x receives, so nothing is added concurrently.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

struct Image {
  std::int64_t N, C, H, W;
  std::int64_t strides[4];  // of N, C, H, W

  explicit Image(const Operand& x) : N(x.sizes[0]), C(x.sizes[1]), H(x.sizes[2]), W(x.sizes[3]) {
    for (int i = 0; i < 4; ++i) strides[i] = x.strides[i];
  }
  Image() : N(0), C(0), H(0), W(0), strides{} {}
  std::int64_t count() const { return N * C * H * W; }
};

struct Place {
  std::int64_t n, c, h, w;
};

__device__ inline Place place_of(const Image& image, std::int64_t index) {
  Place at;
  std::int64_t next = quotient(index, image.C);
  at.c = index - next * image.C;
  index = next;
  next = quotient(index, image.W);
  at.w = index - next * image.W;
  at.n = quotient(next, image.H);
  at.h = next - at.n * image.H;
  return at;
}

__device__ inline std::int64_t offset(const Image& image, const Place& p) {
  return p.n * image.strides[0] + p.c * image.strides[1] + p.h * image.strides[2] +
         p.w * image.strides[3];
}

struct Pool {
  Image x, y, index;
  std::int64_t count;  // places of y, or of x for the backward kernels
  Size2 kernel, stride, padding;

  Pool(const Pool2dArgs& a, bool over_x)
      : x(a.x), y(a.y), kernel(a.kernel), stride(a.stride), padding(a.padding) {
    if (a.index.data) index = Image(a.index);
    count = over_x ? x.count() : y.count();
  }
};

// [first, last) along one axis.
struct Range {
  std::int64_t first, last;
};

// Rows (columns) of x in window i.
__device__ inline Range window(std::int64_t i, std::int64_t kernel, std::int64_t stride,
                               std::int64_t padding, std::int64_t size) {
  const std::int64_t first = i * stride - padding, last = first + kernel;
  return {first > 0 ? first : 0, last < size ? last : size};
}

// Windows of y that hold row (column) h of x.
__device__ inline Range windows_of(std::int64_t h, std::int64_t kernel, std::int64_t stride,
                                   std::int64_t padding, std::int64_t windows) {
  const std::int64_t from = h + padding - kernel + 1;  // the first window starts here or later
  const std::int64_t first = from > 0 ? (from + stride - 1) / stride : 0;
  const std::int64_t last = (h + padding) / stride + 1;
  return {first, last < windows ? last : windows};
}

template <class T>
__global__ void max_forward(Pool p, const T* x, T* y, std::int32_t* index) {
  using C = compute_t<T>;
  for (std::int64_t i = grid_thread(); i < p.count; i += grid_threads()) {
    const Place at = place_of(p.y, i);
    const Range rows = window(at.h, p.kernel.h, p.stride.h, p.padding.h, p.x.H);
    const Range columns = window(at.w, p.kernel.w, p.stride.w, p.padding.w, p.x.W);
    const T* from = x + at.n * p.x.strides[0] + at.c * p.x.strides[1];
    T best = from[rows.first * p.x.strides[2] + columns.first * p.x.strides[3]];
    std::int64_t place = rows.first * p.x.W + columns.first;
    for (std::int64_t h = rows.first; h < rows.last; ++h) {
      for (std::int64_t w = columns.first; w < columns.last; ++w) {
        const T value = from[h * p.x.strides[2] + w * p.x.strides[3]];
        const C candidate = wide(value), largest = wide(best);
        if (largest == largest && (candidate > largest || candidate != candidate)) {
          best = value;
          place = h * p.x.W + w;
        }
      }
    }
    y[offset(p.y, at)] = best;
    if (index) index[offset(p.index, at)] = static_cast<std::int32_t>(place);
  }
}

template <class T>
__global__ void max_backward(Pool p, T* dx, const T* dy, const std::int32_t* index) {
  using C = compute_t<T>;
  for (std::int64_t i = grid_thread(); i < p.count; i += grid_threads()) {
    const Place at = place_of(p.x, i);
    const Range rows = windows_of(at.h, p.kernel.h, p.stride.h, p.padding.h, p.y.H);
    const Range columns = windows_of(at.w, p.kernel.w, p.stride.w, p.padding.w, p.y.W);
    const std::int64_t here = at.h * p.x.W + at.w;
    C sum = 0;
    for (std::int64_t h = rows.first; h < rows.last; ++h) {
      for (std::int64_t w = columns.first; w < columns.last; ++w) {
        const Place of{at.n, at.c, h, w};
        if (index[offset(p.index, of)] == here) sum += wide(dy[offset(p.y, of)]);
      }
    }
    dx[offset(p.x, at)] = narrow<T>(sum);
  }
}

template <class T>
__global__ void max_gather(Pool p, const T* x, T* y, const std::int32_t* index,
                           std::int32_t* error) {
  for (std::int64_t i = grid_thread(); i < p.count; i += grid_threads()) {
    const Place at = place_of(p.y, i);
    const std::int64_t place = index[offset(p.index, at)];
    T value = narrow<T>(compute_t<T>(0));
    if (check_index(place, p.x.H * p.x.W, error)) {
      const std::int64_t h = quotient(place, p.x.W);
      value = x[offset(p.x, Place{at.n, at.c, h, place - h * p.x.W})];
    }
    y[offset(p.y, at)] = value;
  }
}

template <class T>
__global__ void avg_forward(Pool p, const T* x, T* y) {
  using C = compute_t<T>;
  const C area = static_cast<C>(p.kernel.h * p.kernel.w);
  for (std::int64_t i = grid_thread(); i < p.count; i += grid_threads()) {
    const Place at = place_of(p.y, i);
    const Range rows = window(at.h, p.kernel.h, p.stride.h, p.padding.h, p.x.H);
    const Range columns = window(at.w, p.kernel.w, p.stride.w, p.padding.w, p.x.W);
    const T* from = x + at.n * p.x.strides[0] + at.c * p.x.strides[1];
    C sum = 0;
    for (std::int64_t h = rows.first; h < rows.last; ++h) {
      for (std::int64_t w = columns.first; w < columns.last; ++w) {
        sum += wide(from[h * p.x.strides[2] + w * p.x.strides[3]]);
      }
    }
    y[offset(p.y, at)] = narrow<T>(sum / area);
  }
}

template <class T>
__global__ void avg_backward(Pool p, T* dx, const T* dy) {
  using C = compute_t<T>;
  const C area = static_cast<C>(p.kernel.h * p.kernel.w);
  for (std::int64_t i = grid_thread(); i < p.count; i += grid_threads()) {
    const Place at = place_of(p.x, i);
    const Range rows = windows_of(at.h, p.kernel.h, p.stride.h, p.padding.h, p.y.H);
    const Range columns = windows_of(at.w, p.kernel.w, p.stride.w, p.padding.w, p.y.W);
    C sum = 0;
    for (std::int64_t h = rows.first; h < rows.last; ++h) {
      for (std::int64_t w = columns.first; w < columns.last; ++w) {
        sum += wide(dy[offset(p.y, Place{at.n, at.c, h, w})]);
      }
    }
    dx[offset(p.x, at)] = narrow<T>(sum / area);
  }
}

template <class... Params, class... Args>
void run(const Pool& pool, void (*kernel)(Params...), Args... args) {
  if (pool.count == 0) return;
  launch_kernel(kernel, grid_for(pool.count), Dim3{kBlock}, 0, current_stream(), pool, args...);
}

}  // namespace

void max_pool2d(const Pool2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    run(Pool(a, false), max_forward<T>, a.x.as<T>(), a.y.as<T>(), a.index.as<std::int32_t>());
  });
}

void max_pool2d_backward(const Pool2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    run(Pool(a, true), max_backward<T>, a.x.as<T>(), a.y.as<T>(), a.index.as<std::int32_t>());
  });
}

void max_pool2d_gather(const Pool2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    run(Pool(a, false), max_gather<T>, a.x.as<T>(), a.y.as<T>(), a.index.as<std::int32_t>(),
        index_error());
  });
}

void avg_pool2d(const Pool2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    run(Pool(a, false), avg_forward<T>, a.x.as<T>(), a.y.as<T>());
  });
}

void avg_pool2d_backward(const Pool2dArgs& a) {
  visit_real(a.x.dtype, [&]<class T>(Tag<T>) {
    run(Pool(a, true), avg_backward<T>, a.x.as<T>(), a.y.as<T>());
  });
}

}  // namespace athanor::cuda
