// The gradient of a convolution for its input, as forward passes over the gradient of its result.
//
// Included after conv2d_window.h, into an unnamed namespace.
#pragma once

// The indices r, r + step, ... below `size` along one axis of dx, and the taps of the kernel that
// reach them, last first: index r + step i is reached by dy[i - padding + t] through tap(t).
struct InputPhase {
  std::int64_t count, taps, padding, last, step;

  InputPhase(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
             std::int64_t r)
      : count((size - r + stride - 1) / stride), step(stride) {
    const std::int64_t first = (r + pad) % stride;
    taps = taps_from(first, kernel, stride);
    last = first + (taps - 1) * stride;
    padding = taps - 1 - (r + pad) / stride;
  }
  std::int64_t tap(std::int64_t t) const { return last - t * step; }
};

template <class T>
void clear_pixels(const Pass<T>& p) {
  parallel_for(p.N, 16384 / (p.oh * p.ow * p.O) + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      for (std::int64_t i = 0; i < p.oh; ++i) {
        for (std::int64_t j = 0; j < p.ow; ++j) {
          T* to = p.y + n * p.y_image + i * p.y_row + j * p.y_pixel;
          for (std::int64_t o = 0; o < p.O; ++o) to[o] = T(0);
        }
      }
    }
  });
}

// dx is the convolution of dy with the kernel turned around, input and output channels exchanged;
// with a step s, s of them side by side: the rows of dx that are r modulo s see the kernel's rows
// that are r + padding modulo s, and the same for columns. Calls run(pass, weight) for each; `f` is
// the forward pass, whose y is dy and whose weight is w.
template <class T, class F>
void for_each_input_pass(const Pass<T>& f, const T* w, T* dx, F run) {
  for (std::int64_t r = 0; r < smaller(f.sh, f.H); ++r) {
    const InputPhase rows(f.H, f.kh, f.sh, f.ph, r);
    for (std::int64_t c = 0; c < smaller(f.sw, f.W); ++c) {
      const InputPhase columns(f.W, f.kw, f.sw, f.pw, c);
      const Pass<T> p{f.N,
                      f.oh,
                      f.ow,
                      f.O,
                      f.C,
                      rows.taps,
                      columns.taps,
                      rows.count,
                      columns.count,
                      1,
                      1,
                      rows.padding,
                      columns.padding,
                      f.y,
                      dx + (r * f.W + c) * f.C,
                      nullptr,
                      f.H * f.W * f.C,
                      f.sh * f.W * f.C,
                      f.sw * f.C};
      run(p, [&](std::int64_t ci, std::int64_t i, std::int64_t j, std::int64_t o) {
        return w[((o * f.C + ci) * f.kh + rows.tap(i)) * f.kw + columns.tap(j)];
      });
    }
  }
}
