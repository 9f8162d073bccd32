// A forward pass over all images, which conv2d_direct.cpp makes convolutions and their gradients
// of.
//
// Included after conv2d_window.h, into an unnamed namespace.
#pragma once

// Outputs [first, last) along one axis whose windows meet x with the same taps, [tap, tap + taps),
// and the padding with the others.
struct Span {
  std::int64_t first, last, tap, taps;
};

// Cuts the outputs [begin, end) along an axis on which x has `size` places into such spans.
template <class F>
void for_each_span(std::int64_t begin, std::int64_t end, std::int64_t size, std::int64_t kernel,
                   std::int64_t stride, std::int64_t padding, const F& run) {
  const auto at = [&](std::int64_t output) {
    const std::int64_t start = output * stride - padding;
    const std::int64_t tap = smaller(larger(-start, 0), kernel);
    return Span{output, output + 1, tap, larger(smaller(kernel, size - start) - tap, 0)};
  };
  while (begin < end) {
    Span span = at(begin);
    for (; span.last < end; ++span.last) {
      const Span next = at(span.last);
      if (next.tap != span.tap || next.taps != span.taps) break;
    }
    run(span);
    begin = span.last;
  }
}

// Cuts the output rows [first, first + rows) into rectangles of pixels whose windows meet x with
// the same taps: the products with the zeros of the padding are left out.
template <class T, class F>
void for_each_region(const Pass<T>& p, std::int64_t first, std::int64_t rows, const F& run) {
  for_each_span(first, first + rows, p.H, p.kh, p.sh, p.ph, [&](const Span& h) {
    for_each_span(0, p.ow, p.W, p.kw, p.sw, p.pw, [&](const Span& v) { run(h, v); });
  });
}

// What the windows of such a rectangle read of the image x.
template <class T>
Windows<T> region_windows(const Pass<T>& p, const T* x, const Span& h, const Span& v) {
  const std::int64_t row = p.W * p.C, rows = h.last - h.first, columns = v.last - v.first;
  const std::int64_t w_row = p.run() * kMicroColumns<T>;
  if (h.taps == 0 || v.taps == 0) return {x, row, 0, 0, w_row, rows, columns};
  const std::int64_t top = h.first * p.sh - p.ph + h.tap, left = v.first * p.sw - p.pw + v.tap;
  return {x + top * row + left * p.C, row, h.taps, v.taps * p.C, w_row, rows, columns};
}

// What the windows of the output rows [row, row + rows) of those that `image` serves read.
template <class T>
Windows<T> whole_windows(const Pass<T>& p, const Image<T>& image, std::int64_t row,
                         std::int64_t rows) {
  return {image.data + row * p.sh * image.row, image.row, p.kh, p.run(),
          p.run() * kMicroColumns<T>,          rows,      p.ow};
}

// Multiply-adds of vectors that `pixels` windows of `length` values take with O channels; a block
// of fewer than eight sums waits for their results as long as one of eight.
template <class T>
std::int64_t block_cost(const Pass<T>& p, std::int64_t pixels, std::int64_t length) {
  const auto strip = [&](std::int64_t rows, std::int64_t vectors) {
    const std::int64_t rest = pixels % rows;
    return pixels / rows * rows * vectors + (rest ? larger(rest * vectors, 8) : 0);
  };
  const bool narrow = is_narrow<T>(p.O % kMicroColumns<T>) && p.O % kMicroColumns<T> > 0;
  return length * ((p.strips() - narrow) * strip(kSumRows<2>, 2) + narrow * strip(kSumRows<1>, 1));
}

template <class T>
std::int64_t regions_cost(const Pass<T>& p, std::int64_t first, std::int64_t rows) {
  std::int64_t cost = 0;
  for_each_region(p, first, rows, [&](const Span& h, const Span& v) {
    cost += block_cost(p, (h.last - h.first) * (v.last - v.first), h.taps * v.taps * p.C);
  });
  return cost;
}

// The largest of four by lane, NaN where one of them is.
template <class V>
inline V largest_of_four(V a, V b, V c, V d) {
  const V left = a > b ? a : b, right = c > d ? c : d, best = left > right ? left : right;
  const auto ordered = ((a <= b) | (a > b)) & ((c <= d) | (c > d));
  return ordered ? best
                 : V{} + std::numeric_limits<std::remove_cvref_t<decltype(a[0])>>::quiet_NaN();
}

// The largest of each 2 x 2 window of `tile` [2, ow, kMicroColumns], `width` of its channels.
template <class T>
void pool_tile(const T* tile, std::int64_t ow, std::int64_t width, T* y, std::int64_t y_pixel) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes, kWidth = kMicroColumns<T>;
  for (std::int64_t j = 0; j + 2 <= ow; j += 2, tile += 2 * kWidth, y += y_pixel) {
    for (std::int64_t o = 0; o < width; o += W) {
      const T *one = tile + o, *two = one + ow * kWidth;
      const V best = largest_of_four(load_lanes(one), load_lanes(one + kWidth), load_lanes(two),
                                     load_lanes(two + kWidth));
      if (o + W <= width) {
        store_lanes(y + o, best);
      } else {
        for (std::int64_t i = o; i < width; ++i) y[i] = best[i - o];
      }
    }
  }
}

// The largest of each 2 x 2 window of the output rows `row` and row + 1 of those that `image`
// serves. For short windows of x, where leaving the pixels in registers saves more than blocks of
// six do.
template <class T>
void pooled_rows(const Pass<T>& p, const Image<T>& image, std::int64_t row, const T* w,
                 const T* start, std::int64_t width, T* y, ImageAhead<T>& ahead) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  const std::int64_t step = p.sw * p.C, down = p.sh * image.row;
  const Windows<T> windows = whole_windows(p, image, row, 2);
  const T* from = windows.x;
  const V low = V{} + p.floor;
  for (std::int64_t j = 0; j + 2 <= p.ow; j += 2, from += 2 * step, y += p.y_pixel) {
    ahead.ask();
    V sums[4][2];
    window_sums<4, 2>(
        from, [=](int r) { return r / 2 * down + r % 2 * step; }, windows, w, start, sums);
    const auto largest = [&](int v) {
      const V best = largest_of_four(sums[0][v], sums[1][v], sums[2][v], sums[3][v]);
      return best < low ? low : best;
    };
    const V one = largest(0), two = largest(1);
    if (width == 2 * W) {
      store_lanes(y, one);
      store_lanes(y + W, two);
    } else {
      for (std::int64_t i = 0; i < width; ++i) y[i] = i < W ? one[i] : two[i - W];
    }
  }
}

// Of a window of x beyond which its pixels are pooled through memory.
constexpr std::int64_t kShortWindow = 32;
// Of the pixels of a strip that wait to be pooled.
constexpr std::int64_t kPoolBytes = 32 << 10;

// How the output rows [first, first + rows) of an image are worked on.
template <class T>
struct ForwardPlan {
  bool cut;            // in regions, or on a padded copy of x
  std::int64_t each;   // rows at a time: even where the pass pools
  std::int64_t tile;   // elements for pixels that wait to be pooled
  std::int64_t image;  // elements for the padded copy

  ForwardPlan(const Pass<T>& p, std::int64_t first, std::int64_t rows) {
    const bool in_registers = p.pool && p.window() <= kShortWindow;
    const std::int64_t row = p.ow * kMicroColumns<T>;
    each = in_registers ? 2 : rows;
    if (p.pool && !in_registers) {
      const std::int64_t most = kPoolBytes / (row * static_cast<std::int64_t>(sizeof(T))) / 2 * 2;
      each = smaller(rows, larger(most, 2));
    }
    tile = p.pool && !in_registers ? each * row : 0;
    cut = !in_registers && regions_cost(p, first, rows) <= block_cost(p, rows * p.ow, p.window());
    image = cut ? 0 : p.padded_rows(rows) * p.padded_row();
  }
};

// Output rows [first, first + rows) of image n; `strips` as pack_weights leaves them, `first` and
// `rows` even where the pass pools. `buffer` has room for what the plan says.
template <class T>
void forward_rows(const Pass<T>& p, const ForwardPlan<T>& plan, std::int64_t n, std::int64_t first,
                  std::int64_t rows, const T* strips, T* buffer) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const T* const x = p.x + n * p.H * p.W * p.C;
  T* const tile = buffer;
  const Image<T> image =
      plan.cut ? Image<T>(x, p.W * p.C) : Image<T>(p, n, first, rows, buffer + plan.tile);
  const bool more = n + 1 < p.N;
  ImageAhead<T> ahead(
      x + p.H * p.W * p.C + first * p.sh * p.W * p.C, more ? rows * p.sh * p.W * p.C : 0,
      ceil_div(rows, plan.each) * p.blocks(plan.each * p.ow, kSumRows<2>, kSumRows<1>));
  alignas(64) T start[kWidth];
  for (std::int64_t o = 0; o < p.O; o += kWidth, strips += p.window() * kWidth) {
    const std::int64_t width = smaller(kWidth, p.O - o);
    for (std::int64_t i = 0; i < kWidth; ++i) start[i] = p.bias && i < width ? p.bias[o + i] : T(0);
    T* const y = p.y + n * p.y_image + first / (p.pool ? 2 : 1) * p.y_row + o;
    const auto run = is_narrow<T>(width) ? strip_pixels<1, T> : strip_pixels<2, T>;
    // The output rows [row, row + count) of those asked for.
    const auto pixels = [&](std::int64_t row, std::int64_t count, std::int64_t channels, T* to,
                            std::int64_t y_row, std::int64_t y_pixel) {
      const std::int64_t down = p.sh * image.row, step = p.sw * p.C;
      if (!plan.cut) {
        run(whole_windows(p, image, row, count), down, step, strips, start, p.floor, channels, to,
            y_row, y_pixel, ahead);
        return;
      }
      for_each_region(p, first + row, count, [&](const Span& h, const Span& v) {
        const std::int64_t tap = (h.tap * p.kw + v.tap) * p.C;
        run(region_windows(p, x, h, v), down, step, strips + tap * kWidth, start, p.floor, channels,
            to + (h.first - first - row) * y_row + v.first * y_pixel, y_row, y_pixel, ahead);
      });
    };
    if (!p.pool) {
      pixels(0, rows, width, y, p.y_row, p.y_pixel);
      continue;
    }
    const std::int64_t vectors = is_narrow<T>(width) ? kWidth / 2 : kWidth;
    for (std::int64_t row = 0; row + 2 <= rows; row += plan.each) {
      const std::int64_t count = smaller(plan.each, (rows - row) / 2 * 2);
      T* const to = y + row / 2 * p.y_row;
      if (plan.tile == 0) {
        pooled_rows(p, image, row, strips, static_cast<const T*>(start), width, to, ahead);
        continue;
      }
      pixels(row, count, vectors, tile, p.ow * kWidth, kWidth);
      for (std::int64_t i = 0; i < count; i += 2) {
        pool_tile(static_cast<const T*>(tile) + i * p.ow * kWidth, p.ow, width,
                  to + i / 2 * p.y_row, p.y_pixel);
      }
    }
  }
}

// `weight(o, i, j, c)` as strips of kMicroColumns output channels: [strip, kh, kw, C, column].
template <class T, class F>
void pack_weights(const Pass<T>& p, T* to, F weight) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  parallel_for(p.strips(), 16384 / (p.window() * kWidth) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t s = begin; s < end; ++s) {
                   T* strip = to + s * p.window() * kWidth;
                   for (std::int64_t i = 0; i < p.kh; ++i) {
                     for (std::int64_t j = 0; j < p.kw; ++j) {
                       for (std::int64_t c = 0; c < p.C; ++c, strip += kWidth) {
                         for (std::int64_t k = 0; k < kWidth; ++k) {
                           const std::int64_t o = s * kWidth + k;
                           strip[k] = o < p.O ? weight(o, i, j, c) : T(0);
                         }
                       }
                     }
                   }
                 }
               });
}

template <class T, class F>
void run_pass(const Pass<T>& p, F weight) {
  const std::int64_t size = p.strips() * kMicroColumns<T> * p.window();
  T* const strips = static_cast<T*>(thread_scratch(size * sizeof(T), Scratch::shared));
  pack_weights(p, strips, weight);
  const std::int64_t pieces = smaller(p.oh, ceil_div(kConvTasks, p.N));
  const std::int64_t even = p.pool ? 2 : 1;
  const std::int64_t rows = ceil_div(ceil_div(p.oh, pieces), even) * even;
  const std::int64_t count = ceil_div(p.oh, rows);
  parallel_chunks(p.N * count, [&](std::int64_t task) {
    const std::int64_t n = task / count, first = task % count * rows;
    const std::int64_t here = smaller(rows, p.oh - first);
    const ForwardPlan<T> plan(p, first, here);
    T* const buffer =
        static_cast<T*>(thread_scratch((plan.tile + plan.image) * sizeof(T), Scratch::task));
    forward_rows(p, plan, n, first, here, static_cast<const T*>(strips), buffer);
  });
}
