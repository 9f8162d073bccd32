// Depthwise convolutions of quantised images: a filter a channel. Included after quantized_window.h
// and pairs::Dot, into an unnamed namespace.
#pragma once

// sums += x w: the products of pairs, of which x's upper halves are 0.
ATHANOR_INLINE void multiply_add(Strip& sums, const Strip& x, const std::int32_t* w) {
  ATHANOR_UNROLL
  for (int i = 0; i < kParts; ++i) {
    sums.part[i] = pairs::Dot::add(sums.part[i], x.part[i], load_vector<Ints>(w + i * kLanes));
  }
}

// A row of output pixels of one strip of channels.
struct DepthwiseLine {
  const QuantizedWindows& g;
  const PackedLayout& l;
  const std::uint8_t* image;  // at the strip's first channel
  const std::int32_t* w;      // [taps, width], the same
  std::int64_t row, width, count;
  std::int32_t zero;
  std::int32_t* sums;  // [ow, kStrip]

  // R pixels from j on; `inside`: no window reaches beyond the left or right end.
  template <int R, bool kInside>
  ATHANOR_INLINE void pixels(std::int64_t j) const {
    Strip total[R] = {}, padding;
    for (Ints& part : padding.part) part = Ints{} + zero;
    const std::int64_t kw = l.kw, C = g.C, W = g.W, step = g.sw, apart = g.run_column;
    const std::int32_t* weight = w;
    for (std::int64_t p = 0; p < l.kh; ++p) {
      const std::int64_t at = row * g.sh - g.ph + p * g.run_row;
      const bool above = at < 0 || at >= g.H;
      const std::uint8_t* const taps = above ? image : image + at * W * C;
      std::int64_t column = j * step - g.pw;
      for (std::int64_t q = 0; q < kw; ++q, weight += width, column += apart) {
        ATHANOR_UNROLL
        for (int r = 0; r < R; ++r) {
          const std::int64_t here = column + r * step;
          if (above || (!kInside && (here < 0 || here >= W))) {
            multiply_add(total[r], padding, weight);
            continue;
          }
          const std::uint8_t* from = taps + here * C;
          Strip x;
          if (kInside || count == kStrip) {
            widen_strip(from, x);
          } else {
            alignas(16) std::uint8_t edge[kStrip] = {};
            std::memcpy(edge, from, static_cast<std::size_t>(count));
            widen_strip(edge, x);
          }
          multiply_add(total[r], x, weight);
        }
      }
    }
    std::memcpy(sums + j * kStrip, total, sizeof total);
  }

  void run() const {
    // Whole strips of windows that lie within the row: four pixels at a time.
    const std::int64_t reach = g.W - 1 - (l.kw - 1) * g.run_column + g.pw;
    const std::int64_t first = smaller(ceil_div(g.pw, g.sw), g.ow);
    const std::int64_t last = count < kStrip || reach < 0 ? 0 : smaller(reach / g.sw + 1, g.ow);
    std::int64_t j = 0;
    for (; j < first; ++j) pixels<1, false>(j);
    for (; j + 4 <= last; j += 4) pixels<4, true>(j);
    for (; j < g.ow; ++j) pixels<1, false>(j);
  }
};

inline void convolve_depthwise(const QuantizedConv2dArgs& a, const PackedLayout& l) {
  const QuantizedWindows g(a.conv);
  const std::int64_t shrink = g.pool ? 2 : 1, out_h = g.oh / shrink, out_w = g.ow / shrink;
  const std::int64_t width = ceil_div(l.O, kStrip) * kStrip;
  const std::int32_t* const w =
      reinterpret_cast<const std::int32_t*>(a.packed.as<const std::byte>() + kHeaderBytes);
  parallel_for(
      g.images * out_h, 65536 / (g.ow * l.O * l.kh * l.kw + 1) + 1,
      [&](std::int64_t begin, std::int64_t end) {
        std::int32_t* const sums = static_cast<std::int32_t*>(
            thread_scratch(static_cast<std::size_t>(shrink * g.ow * kStrip * 4)));
        Finish finish(a);
        for (std::int64_t r = begin; r < end; ++r) {
          const std::int64_t n = r / out_h, row = r % out_h * shrink;
          const std::uint8_t* const image = a.conv.x.as<std::uint8_t>() + n * g.H * g.W * g.C;
          for (std::int64_t c = 0; c < l.O; c += kStrip) {
            const std::int64_t count = smaller(kStrip, l.O - c), to = r * out_w * g.O + c;
            finish.take(a, c, count);
            for (std::int64_t i = 0; i < shrink; ++i) {
              DepthwiseLine{g,
                            l,
                            image + c,
                            w + c,
                            row + i,
                            width,
                            count,
                            a.x_zero_point,
                            sums + i * g.ow * kStrip}
                  .run();
            }
            if (g.pool) pool_lines(sums, kStrip, g.ow);
            a.conv.y.dtype == DType::f32
                ? finish_line(finish, sums, 1, out_w, count, a.conv.y.as<float>() + to, g.O)
                : finish_line(finish, sums, 1, out_w, count, a.conv.y.as<std::uint8_t>() + to, g.O);
          }
        }
      });
}
