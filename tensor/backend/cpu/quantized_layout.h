// How quantised weights are packed. Included after isa_integers.h and quantized_strip.h,
// into an unnamed namespace.
//
// Output channels go in strips of 16. For each strip, each run (values of x that lie one after
// another: a row of the kernel's window, or with groups or dilation one pixel of it) and each step
// along the run there are 64 bytes: for each channel four i8 (`quads`, which vpdpbusd multiplies)
// or two i16 (`pairs`, for vpmaddwd; products of two 8-bit values cannot saturate there). Channels
// beyond the last one and steps' places beyond a run are 0. A depthwise convolution has i32 [taps,
// C rounded up to 16] instead.
#pragma once

enum class Packing : std::int32_t { pairs, quads, depthwise };

inline constexpr std::int64_t kStepBytes = 64;    // of a strip
inline constexpr std::int64_t kHeaderBytes = 64;  // before the strips: the Packing

struct PackedLayout {
  std::int64_t O, I, kh, kw, groups;  // O of all groups, I of one
  bool merged;                        // a row of the window is one run
  Packing packing;

  PackedLayout(const Operand& w, std::int64_t group_count, const Size2& dilation, Packing p)
      : O(w.sizes[0]),
        I(w.sizes[1]),
        kh(w.sizes[2]),
        kw(w.sizes[3]),
        groups(group_count),
        merged(groups == 1 && (dilation.w == 1 || kw == 1)),
        packing(p) {}

  static bool is_depthwise(const Operand& w, std::int64_t groups) {
    return groups > 1 && w.sizes[1] == 1 && w.sizes[0] == groups;
  }
  std::int64_t channels() const { return O / groups; }  // of a group
  std::int64_t strips() const { return ceil_div(channels(), kStrip); }
  std::int64_t runs() const { return merged ? kh : kh * kw; }
  std::int64_t run() const { return merged ? kw * I : I; }
  std::int64_t step() const { return packing == Packing::quads ? 4 : 2; }
  std::int64_t steps() const { return ceil_div(run(), step()); }
  std::int64_t strip_bytes() const { return runs() * steps() * kStepBytes; }
  std::int64_t bytes() const {
    if (packing == Packing::depthwise) {
      return kHeaderBytes + kh * kw * ceil_div(O, kStrip) * kStrip * 4;
    }
    return kHeaderBytes + groups * strips() * strip_bytes();
  }
};

// w i8 [O, I, kh, kw] -> packed (zeroed), T = std::int8_t or std::int16_t by the packing.
template <class T>
void pack_strips_of(const PackedLayout& l, const std::int8_t* w, std::byte* packed) {
  T* const to = reinterpret_cast<T*>(packed + kHeaderBytes);
  const std::int64_t step = l.step(),
                     strip = l.strip_bytes() / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t o = 0; o < l.O; ++o) {
    const std::int64_t in_group = o % l.channels();
    T* const own =
        to + (o / l.channels() * l.strips() + in_group / kStrip) * strip + in_group % kStrip * step;
    for (std::int64_t c = 0; c < l.I; ++c) {
      for (std::int64_t tap = 0; tap < l.kh * l.kw; ++tap) {
        const std::int64_t run = l.merged ? tap / l.kw : tap;
        const std::int64_t at = l.merged ? tap % l.kw * l.I + c : c;  // within the run
        own[(run * l.steps() + at / step) * kStrip * step + at % step] =
            w[(o * l.I + c) * l.kh * l.kw + tap];
      }
    }
  }
}

inline void pack_depthwise(const PackedLayout& l, const std::int8_t* w, std::byte* packed) {
  std::int32_t* const to = reinterpret_cast<std::int32_t*>(packed + kHeaderBytes);
  const std::int64_t taps = l.kh * l.kw, width = ceil_div(l.O, kStrip) * kStrip;
  for (std::int64_t o = 0; o < l.O; ++o) {
    for (std::int64_t tap = 0; tap < taps; ++tap) to[tap * width + o] = w[o * taps + tap];
  }
}
