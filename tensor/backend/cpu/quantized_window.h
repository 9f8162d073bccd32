// Which windows a convolution of quantised images multiplies, line by line. Included after
// quantized_finish.h, into an unnamed namespace.
#pragma once

// The sizes of a convolution. Lines are rows of output pixels: of an image, or, where windows are
// single pixels that touch (linear layers, convolutions of 1 x 1), pieces of all pixels.
struct QuantizedWindows {
  std::int64_t images, H, W, C;      // of x
  std::int64_t O, oh, ow;            // of what is convolved, before pooling
  std::int64_t sh, sw, ph, pw;       // stride, padding
  std::int64_t columns;              // of x that a line touches
  std::int64_t run_row, run_column;  // from one run to the next, in rows and columns of x
  std::int64_t kh, extent_h;
  bool pool, flat;

  explicit QuantizedWindows(const Conv2dArgs& a)
      : images(a.x.sizes[0]),
        H(a.x.sizes[2]),
        W(a.x.sizes[3]),
        C(a.x.sizes[1]),
        O(a.y.sizes[1]),
        oh(a.y.sizes[2] * (a.pool ? 2 : 1)),
        ow(a.y.sizes[3] * (a.pool ? 2 : 1)),
        sh(a.stride.h),
        sw(a.stride.w),
        ph(a.padding.h),
        pw(a.padding.w),
        columns((ow - 1) * sw + (a.w.sizes[3] - 1) * a.dilation.w + 1),
        run_row(a.dilation.h),
        run_column(a.dilation.w),
        kh(a.w.sizes[2]),
        extent_h((kh - 1) * a.dilation.h + 1),
        pool(a.pool) {
    flat = kh == 1 && a.w.sizes[3] == 1 && sh == 1 && sw == 1 && ph == 0 && pw == 0 && !pool;
    if (!flat) return;
    W = images * H * W;
    images = H = oh = 1;
    ow = columns = W;
  }
};

// `count` values of x as the kernels read them.
ATHANOR_INLINE void copy_values(const std::uint8_t* from, std::int64_t count, std::uint8_t* to) {
  std::memcpy(to, from, static_cast<std::size_t>(count));
}
ATHANOR_INLINE void copy_values(const std::uint8_t* from, std::int64_t count, std::int16_t* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
}

// The rows [first, first + rows) of image n, counted with padding, `columns` wide, padded.
template <class X>
void copy_rows(const QuantizedWindows& g, const std::uint8_t* x, std::uint8_t zero, std::int64_t n,
               std::int64_t first, std::int64_t rows, X* to) {
  const std::int64_t row = g.columns * g.C;
  const std::int64_t left = smaller(g.pw, g.columns), right = smaller(g.pw + g.W, g.columns);
  const auto clear = [&](X* from, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) from[i] = zero;
  };
  for (std::int64_t i = 0; i < rows; ++i, to += row) {
    const std::int64_t at = first + i - g.ph;
    if (at < 0 || at >= g.H) {
      clear(to, row);
      continue;
    }
    clear(to, left * g.C);
    copy_values(x + (n * g.H + at) * g.W * g.C, (right - left) * g.C, to + left * g.C);
    clear(to + right * g.C, row - right * g.C);
  }
}

// A task: output rows [first, first + rows) of image n and columns [column, column + pixels), for
// the strips [strip, strip + strips) of each group.
struct Task {
  std::int64_t n, first, rows, column, pixels, strip, strips;
};

// How the work is cut, by the sizes alone.
struct Cut {
  std::int64_t rows, pixels, strips;  // of a task
  std::int64_t down, across, parts;   // tasks of an image

  Cut(const QuantizedWindows& g, const PackedLayout& l) {
    constexpr std::int64_t kWork = 1 << 20;  // products of a task, about
    const std::int64_t products = l.kh * l.kw * l.I * l.channels() * l.groups;  // of a pixel
    rows = g.oh, pixels = g.ow, strips = l.strips();
    if (g.flat) {
      const std::int64_t fits = 65536 / (g.C + 1);
      pixels = smaller(g.ow, larger(24, smaller(96, fits / 12 * 12)));
      if (ceil_div(g.ow, pixels) < 4 && l.groups == 1) {
        strips = larger(4, kWork / (pixels * larger(1, products / l.strips())) / 4 * 4);
        strips = smaller(strips, l.strips());
      }
    } else if (g.images < 16) {
      rows = larger(g.pool ? 2 : 1, kWork / (g.ow * products + 1) / 2 * 2);
      rows = smaller(rows, g.oh);
    }
    down = ceil_div(g.oh, rows), across = ceil_div(g.ow, pixels);
    parts = ceil_div(l.strips(), strips);
  }
  std::int64_t tasks(const QuantizedWindows& g) const { return g.images * down * across * parts; }
  Task task(const QuantizedWindows& g, const PackedLayout& l, std::int64_t i) const {
    const std::int64_t part = i % parts * strips, piece = i / parts;
    const std::int64_t column = piece % across * pixels, band = piece / across;
    const std::int64_t first = band % down * rows;
    return {band / down,
            first,
            smaller(rows, g.oh - first),
            column,
            smaller(pixels, g.ow - column),
            part,
            smaller(strips, l.strips() - part)};
  }
};

inline std::int64_t round_up(std::int64_t bytes) { return ceil_div(bytes, 64) * 64; }

// One task, with scratch for the copy of x and for the sums of a line.
template <class Lines>
void run_task(const QuantizedConv2dArgs& a, const QuantizedWindows& g, const PackedLayout& l,
              const Task& t) {
  using X = typename Lines::X;
  const std::uint8_t* const source = a.conv.x.as<std::uint8_t>();
  const std::int64_t in_rows = (t.rows - 1) * g.sh + g.extent_h;
  // In place where the image needs no padding and no run reads beyond its end.
  const bool in_place = Lines::kQuads && g.ph == 0 && g.pw == 0 && l.run() % 4 == 0 &&
                        (l.groups == 1 || l.I % 4 == 0);
  const std::int64_t columns = g.flat ? t.pixels : g.columns;
  const std::int64_t copied =
      in_place ? 0 : round_up((in_rows * columns * g.C + 8) * static_cast<std::int64_t>(sizeof(X)));
  const std::int64_t most = smaller(Lines::kMostStrips, l.strips());
  const std::int64_t line = most * kStrip * t.pixels;
  const std::int64_t offsets_bytes = round_up(l.runs() * 8);
  std::byte* const scratch = static_cast<std::byte*>(thread_scratch(
      static_cast<std::size_t>(copied + offsets_bytes + (g.pool ? 2 : 1) * line * 4)));
  std::int64_t* const offsets = reinterpret_cast<std::int64_t*>(scratch + copied);
  std::int32_t* const sums = reinterpret_cast<std::int32_t*>(scratch + copied + offsets_bytes);

  const X* x = nullptr;
  std::int64_t x_row = g.columns * g.C;
  if constexpr (Lines::kQuads) {
    if (in_place) {
      x = source + ((t.n * g.H + t.first * g.sh) * g.W + t.column) * g.C;
      x_row = g.W * g.C;
    }
  }
  if (!in_place) {
    X* const copy = reinterpret_cast<X*>(scratch);
    if (g.flat) {
      copy_values(source + t.column * g.C, t.pixels * g.C, copy);
    } else {
      copy_rows(g, source, static_cast<std::uint8_t>(a.x_zero_point), t.n, t.first * g.sh, in_rows,
                copy);
    }
    // What a last step may read beyond: any number, times 0.
    for (std::int64_t i = 0; i < 8; ++i) copy[in_rows * columns * g.C + i] = 0;
    x = copy;
  }
  for (std::int64_t i = 0; i < l.runs(); ++i) {
    const std::int64_t p = l.merged ? i : i / l.kw, q = l.merged ? 0 : i % l.kw;
    offsets[i] = p * g.run_row * x_row + q * g.run_column * g.C;
  }

  Finish finish(a);
  const std::byte* const packed = a.packed.as<const std::byte>() + kHeaderBytes;
  const auto store = [&](auto* y, std::int64_t strips, std::int64_t count, std::int64_t channel,
                         std::int64_t row) {
    const std::int64_t shrink = g.pool ? 2 : 1;
    const std::int64_t out_w = g.ow / shrink, out_h = g.oh / shrink;
    y += ((t.n * out_h + (t.first + row) / shrink) * out_w + t.column / shrink) * g.O + channel;
    finish_line(finish, sums, strips, t.pixels / shrink, count, y, g.O);
  };
  for (std::int64_t group = 0; group < l.groups; ++group) {
    for (std::int64_t s = 0, strips = 0; s < t.strips; s += strips) {
      for (strips = Lines::kMostStrips; strips > t.strips - s;) strips /= 2;
      const std::int64_t in_group = (t.strip + s) * kStrip;
      const std::int64_t count = smaller(strips * kStrip, l.channels() - in_group);
      const std::int64_t channel = group * l.channels() + in_group;
      finish.take(a, channel, count);
      const std::byte* w = packed + (group * l.strips() + t.strip + s) * l.strip_bytes();
      for (std::int64_t row = 0; row < t.rows; ++row) {
        std::int32_t* const to = sums + (g.pool ? row % 2 : 0) * t.pixels * strips * kStrip;
        Lines::run({x + row * g.sh * x_row + group * l.I, g.sw * g.C, offsets, l.runs(), l.steps(),
                    w, l.strip_bytes(), to},
                   strips, t.pixels);
        if (g.pool) {
          if (row % 2 == 0) continue;
          pool_lines(sums, strips * kStrip, t.pixels);
        }
        a.conv.y.dtype == DType::f32
            ? store(a.conv.y.as<float>(), strips, count, channel, row)
            : store(a.conv.y.as<std::uint8_t>(), strips, count, channel, row);
      }
    }
  }
}

template <class Lines>
void convolve(const QuantizedConv2dArgs& a, const PackedLayout& l) {
  const QuantizedWindows g(a.conv);
  const Cut cut(g, l);
  const std::int64_t products = cut.rows * cut.pixels * l.kh * l.kw * l.I * cut.strips * kStrip;
  parallel_for(cut.tasks(g), 262144 / (products + 1) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   run_task<Lines>(a, g, l, cut.task(g, l, i));
                 }
               });
}
