// Shared by the own convolution kernels: images with a border of zeros, and windows over them.
//
// Included after isa_begin.h, row.h and micro_gemm.h.

// An image with a border: element (h, w, c) at data[(h * width + w) * channels + c].
struct Bordered {
  std::int64_t height, width, channels;
  std::int64_t row() const { return width * channels; }
  std::int64_t size() const { return height * row(); }
};

// What a window looks like in memory: `segments` runs of `length` contiguous values, run s begins
// at offset(s) from the window's first value.
struct Window {
  std::int64_t segments, length;
  std::int64_t across;  // segments in one row of the window
  std::int64_t row_step, column_step;
  std::int64_t offset(std::int64_t s) const {
    return s / across * row_step + s % across * column_step;
  }
};

// One image of x with `border` zeros around it, spread so that x's pixels are `step` apart.
template <class T>
inline void copy_bordered(const T* x, std::int64_t H, std::int64_t W, std::int64_t C, Size2 border,
                          Size2 step, const Bordered& to_shape, T* to) {
  std::memset(to, 0, static_cast<std::size_t>(to_shape.size()) * sizeof(T));
  for (std::int64_t h = 0; h < H; ++h) {
    T* row = to + (border.h + h * step.h) * to_shape.row() + border.w * C;
    if (step.w == 1) {
      std::memcpy(row, x + h * W * C, static_cast<std::size_t>(W * C) * sizeof(T));
      continue;
    }
    for (std::int64_t w = 0; w < W; ++w) {
      std::memcpy(row + w * step.w * C, x + (h * W + w) * C,
                  static_cast<std::size_t>(C) * sizeof(T));
    }
  }
}

// A window of kernel x kernel over a bordered image of `channels`, of which `used` are looked at.
inline Window window_of(Size2 kernel, Size2 dilation, const Bordered& shape, std::int64_t used) {
  Window window;
  const bool joined = dilation.w == 1 && used == shape.channels;
  window.across = joined ? 1 : kernel.w;
  window.segments = kernel.h * window.across;
  window.length = joined ? kernel.w * used : used;
  window.row_step = dilation.h * shape.row();
  window.column_step = dilation.w * shape.channels;
  return window;
}

inline std::int64_t rounded(std::int64_t n, std::int64_t step) {
  return (n + step - 1) / step * step;
}
