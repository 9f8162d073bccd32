// Blocks of sums of products of 8-bit values in registers. Included twice or more, each time into a
// namespace with a struct Dot, hence without a guard:
//   X            what x is stored as; a step takes as many as 4 bytes hold
//   Sums         a vector of i32, a channel a lane
//   kMostRows<S> rows of a block that is S strips wide
//   add(sums, x, w): sums + the step's products; x: 4 bytes of x in each lane, w: a vector of w
ATHANOR_INLINE Dot::Sums load_weights(const std::byte* from) {
  Dot::Sums w;
  std::memcpy(&w, from, sizeof w);
  return w;
}

ATHANOR_INLINE Dot::Sums spread(const Dot::X* x) {
  std::int32_t value;
  std::memcpy(&value, x, sizeof value);
  return Dot::Sums{} + value;
}

struct Block {
  const typename Dot::X* x;     // the window of the first pixel
  std::int64_t pixel;           // values from one pixel to the next
  const std::int64_t* offsets;  // of the runs, from a pixel's window
  std::int64_t runs, steps;
  const std::byte* w;  // the first strip
  std::int64_t strip;  // bytes from one strip to the next
  std::int32_t* to;    // [pixels, S * kStrip]
};

template <int R, int S>
void block_of(const Block& b) {
  using Sums = typename Dot::Sums;
  constexpr std::int64_t kBytes = sizeof(Sums);
  constexpr int kVectors = S * kStepBytes / kBytes, kEach = kStepBytes / kBytes;
  constexpr std::int64_t kStep = 4 / sizeof(typename Dot::X);
  Sums sums[R][kVectors];
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int v = 0; v < kVectors; ++v) sums[r][v] = Sums{};
  }
  const std::byte* w = b.w;
  const std::int64_t strip = b.strip, pixel = b.pixel, steps = b.steps;
  for (std::int64_t run = 0; run < b.runs; ++run) {
    const typename Dot::X* x = b.x + b.offsets[run];
    for (std::int64_t s = 0; s < steps; ++s, x += kStep, w += kStepBytes) {
      Sums weights[kVectors];
      ATHANOR_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        weights[v] = load_weights(w + v / kEach * strip + v % kEach * kBytes);
      }
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) {
        const Sums value = spread(x + r * pixel);
        ATHANOR_UNROLL
        for (int v = 0; v < kVectors; ++v) sums[r][v] = Dot::add(sums[r][v], value, weights[v]);
      }
    }
  }
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      std::memcpy(reinterpret_cast<std::byte*>(b.to + r * S * kStrip) + v * kBytes, &sums[r][v],
                  sizeof(Sums));
    }
  }
}

template <int S, int R>
void rows_of(const Block& b, std::int64_t rows) {
  if constexpr (R == 1) {
    block_of<1, S>(b);
  } else {
    if (rows == R) return block_of<R, S>(b);
    rows_of<S, R - 1>(b, rows);
  }
}

// S strips of `pixels` pixels, cut evenly into blocks.
template <int S>
void line_of(Block b, std::int64_t pixels) {
  constexpr int kRows = Dot::template kMostRows<S>;
  const std::int64_t blocks = ceil_div(pixels, kRows);
  for (std::int64_t i = 0; i < blocks; ++i) {
    const std::int64_t rows = (i + 1) * pixels / blocks - i * pixels / blocks;
    rows_of<S, kRows>(b, rows);
    b.x += rows * b.pixel;
    b.to += rows * S * kStrip;
  }
}

// The same for `strips` in 1, 2, 4.
struct Lines {
  using X = typename Dot::X;
  using BlockType = Block;
  static void run(const Block& b, std::int64_t strips, std::int64_t pixels) {
    if constexpr (Dot::kMostStrips >= 4) {
      if (strips == 4) return line_of<4>(b, pixels);
    }
    if constexpr (Dot::kMostStrips >= 2) {
      if (strips == 2) return line_of<2>(b, pixels);
    }
    line_of<1>(b, pixels);
  }
  static constexpr std::int64_t kMostStrips = Dot::kMostStrips;
  static constexpr bool kQuads = sizeof(X) == 1;
};

// The arithmetic limit: independent chains in registers, as in peak.cpp.
struct Peak {
  static constexpr int kChains = 12;
  static double operations() {
    constexpr double kPerLane = 4 / sizeof(typename Dot::X);
    return 2.0 * kChains * kPerLane * sizeof(typename Dot::Sums) / sizeof(std::int32_t);
  }
  static std::int32_t run(std::int64_t steps) {
    typename Dot::Sums chains[kChains], x = {}, w = {};
    x += 0x01010101;
    w += 0x01020101;
    ATHANOR_UNROLL
    for (int c = 0; c < kChains; ++c) chains[c] = typename Dot::Sums{} + c;
    for (std::int64_t s = 0; s < steps; ++s) {
      ATHANOR_UNROLL
      for (int c = 0; c < kChains; ++c) {
        chains[c] = Dot::add(chains[c], x, w);
#if defined(__x86_64__)
        asm volatile("" : "+x"(chains[c]));  // or the products would be taken out of the loop
#endif
      }
    }
    std::int32_t sum = 0;
    ATHANOR_UNROLL
    for (int c = 0; c < kChains; ++c) sum += chains[c][0];
    return sum;
  }
};
