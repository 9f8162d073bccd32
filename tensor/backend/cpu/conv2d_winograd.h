// Winograd's minimal filtering F(2 x 2, 3 x 3) (Winograd 1980; Lavin & Gray 2016): 16 products for
// a tile of 2 x 2 results instead of 36. A tile of 4 x 4 inputs d and a kernel g are taken to V =
// B^T d B and U = G g G^T; at each of the 16 positions M = U V sums over the channels, a matrix
// product over tiles; the results are A^T M A. Only after set_winograd(true).
//
// Included after conv2d_window.h, into an unnamed namespace.
#pragma once

// Tiles that go through all steps together, so that V and M stay in the second-level cache.
constexpr std::int64_t kTiles = 4 * kMicroRows;
constexpr int kPositions = 16;
// V's positions are this many elements more apart than its tiles need, so that the lines of one
// tile do not share a set of the cache.
constexpr std::int64_t kPositionSlack = 16;

template <class T>
bool winograd_fits(const Pass<T>& p) {
  return p.kh == 3 && p.kw == 3 && p.sh == 1 && p.sw == 1 && p.C >= 16 && p.C % 16 == 0 &&
         p.O >= 16;
}

template <class T>
struct Winograd {
  const Pass<T>& p;
  std::int64_t down = ceil_div(p.oh, 2), across = ceil_div(p.ow, 2);
  std::int64_t apart =
      kTiles * p.C + kPositionSlack;  // elements from one position of V to the next

  std::int64_t tiles() const { return p.N * down * across; }
  // Which image a tile is of, and where it stands among its tiles.
  struct Place {
    std::int64_t n, row, column;
  };
  Place place(std::int64_t tile) const {
    return {tile / (down * across), tile / across % down, tile % across};
  }
  std::int64_t weights() const { return p.strips() * kPositions * p.C * kMicroColumns<T>; }
  // V, M and a pixel of zeros.
  std::int64_t buffers() const { return p.C + kPositions * (kTiles * kMicroColumns<T> + apart); }
};

// Row i of B^T times a column of d; likewise of d B, from a row of it.
template <int i, class V>
inline V input_row(V d0, V d1, V d2, V d3) {
  if constexpr (i == 0) return d0 - d2;
  if constexpr (i == 1) return d1 + d2;
  if constexpr (i == 2) return d2 - d1;
  if constexpr (i == 3) return d1 - d3;
}
// Row i of G times a column of g.
template <int i, class V>
inline V kernel_row(V g0, V g1, V g2) {
  if constexpr (i == 0) return g0;
  if constexpr (i == 1) return (g0 + g2 + g1) * 0.5f;
  if constexpr (i == 2) return (g0 + g2 - g1) * 0.5f;
  if constexpr (i == 3) return g2;
}

// Four positions of V, those of row i, from the pixels of a tile at `d`; element c on.
template <int i, class T>
inline void transform_row(const T* const (&d)[kPositions], std::int64_t c, T* v,
                          std::int64_t apart) {
  using V = typename VectorOf<T>::type;
  V row[4];
  ATHANOR_UNROLL
  for (int j = 0; j < 4; ++j) {
    // Of the four, input_row reads two.
    row[j] = input_row<i>(load_lanes(d[j] + c), load_lanes(d[4 + j] + c), load_lanes(d[8 + j] + c),
                          load_lanes(d[12 + j] + c));
  }
  v += 4 * i * apart;
  store_lanes(v, input_row<0>(row[0], row[1], row[2], row[3]));
  store_lanes(v + apart, input_row<1>(row[0], row[1], row[2], row[3]));
  store_lanes(v + 2 * apart, input_row<2>(row[0], row[1], row[2], row[3]));
  store_lanes(v + 3 * apart, input_row<3>(row[0], row[1], row[2], row[3]));
}

// V [position, tile, C] of `count` tiles from `first` on.
template <class T>
void transform_inputs(const Winograd<T>& wino, std::int64_t first, std::int64_t count,
                      const T* zeros, T* v) {
  const Pass<T>& p = wino.p;
  for (std::int64_t t = 0; t < count; ++t, v += p.C) {
    const auto place = wino.place(first + t);
    const std::int64_t top = 2 * place.row - p.ph, left = 2 * place.column - p.pw;
    const T* d[kPositions];
    for (std::int64_t i = 0; i < 4; ++i) {
      for (std::int64_t j = 0; j < 4; ++j) {
        const std::int64_t row = top + i, column = left + j;
        const bool inside = row >= 0 && row < p.H && column >= 0 && column < p.W;
        d[4 * i + j] = inside ? p.x + ((place.n * p.H + row) * p.W + column) * p.C : zeros;
      }
    }
    for (std::int64_t c = 0; c < p.C; c += VectorOf<T>::lanes) {
      transform_row<0>(d, c, v + c, wino.apart);
      transform_row<1>(d, c, v + c, wino.apart);
      transform_row<2>(d, c, v + c, wino.apart);
      transform_row<3>(d, c, v + c, wino.apart);
    }
  }
}

// Row i of U's positions for one channel of a strip; `g` [3, 3] as pack_weights leaves it, `apart`
// elements from tap to tap.
template <int i, class T>
inline void transform_kernel_row(const T* g, std::int64_t apart, T* u, std::int64_t u_apart) {
  using V = typename VectorOf<T>::type;
  V row[3];
  ATHANOR_UNROLL
  for (int j = 0; j < 3; ++j) {
    row[j] = kernel_row<i>(load_lanes(g + j * apart), load_lanes(g + (3 + j) * apart),
                           load_lanes(g + (6 + j) * apart));
  }
  u += 4 * i * u_apart;
  store_lanes(u, kernel_row<0>(row[0], row[1], row[2]));
  store_lanes(u + u_apart, kernel_row<1>(row[0], row[1], row[2]));
  store_lanes(u + 2 * u_apart, kernel_row<2>(row[0], row[1], row[2]));
  store_lanes(u + 3 * u_apart, kernel_row<3>(row[0], row[1], row[2]));
}

// `strips` [strip, 3, 3, C, kMicroColumns] to U [strip, position, C, kMicroColumns].
template <class T>
void transform_weights(const Pass<T>& p, const T* strips, T* u) {
  const std::int64_t plane = p.C * kMicroColumns<T>;
  parallel_for(p.strips(), 4096 / plane + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s) {
      const T* g = strips + s * 9 * plane;
      T* to = u + s * kPositions * plane;
      for (std::int64_t i = 0; i < plane; i += VectorOf<T>::lanes) {
        transform_kernel_row<0>(g + i, plane, to + i, plane);
        transform_kernel_row<1>(g + i, plane, to + i, plane);
        transform_kernel_row<2>(g + i, plane, to + i, plane);
        transform_kernel_row<3>(g + i, plane, to + i, plane);
      }
    }
  });
}

// A^T M A of one tile and one vector of channels, plus the bias, at least `low`.
template <class T, class V>
inline void results_of(const T* m, V bias, V low, V (&y)[4]) {
  constexpr std::int64_t kApart = kTiles * kMicroColumns<T>;
  V sum[2][4];
  ATHANOR_UNROLL
  for (int j = 0; j < 4; ++j) {
    const V m1 = load_lanes(m + (4 + j) * kApart), m2 = load_lanes(m + (8 + j) * kApart);
    sum[0][j] = load_lanes(m + j * kApart) + (m1 + m2);
    sum[1][j] = (m1 - m2) - load_lanes(m + (12 + j) * kApart);
  }
  ATHANOR_UNROLL
  for (int i = 0; i < 2; ++i) {
    const V left = sum[i][0] + (sum[i][1] + sum[i][2]) + bias;
    const V right = (sum[i][1] - sum[i][2]) - sum[i][3] + bias;
    y[2 * i] = left < low ? low : left;  // a NaN stays
    y[2 * i + 1] = right < low ? low : right;
  }
}

// The results of `count` tiles from `first` on for the strip of output channels from `o` on.
template <class T>
void transform_results(const Winograd<T>& wino, std::int64_t first, std::int64_t count,
                       std::int64_t o, const T* m) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes, kWidth = kMicroColumns<T>;
  const Pass<T>& p = wino.p;
  const std::int64_t width = smaller(kWidth, p.O - o);
  alignas(64) T bias[kWidth], edge[kWidth];
  for (std::int64_t i = 0; i < kWidth; ++i) bias[i] = p.bias && i < width ? p.bias[o + i] : T(0);
  const V low = V{} + p.floor;
  const auto write = [&](T* to, V left, V right) {
    if (width == kWidth) {
      store_lanes(to, left);
      return store_lanes(to + W, right);
    }
    store_lanes(edge, left);
    store_lanes(edge + W, right);
    for (std::int64_t i = 0; i < width; ++i) to[i] = edge[i];
  };
  for (std::int64_t t = 0; t < count; ++t, m += kWidth) {
    const auto [n, row, column] = wino.place(first + t);
    V left[4], right[4];
    results_of(m, load_lanes(bias), low, left);
    results_of(m + W, load_lanes(bias + W), low, right);
    T* const y = p.y + n * p.y_image + o;
    if (p.pool) {
      write(y + row * p.y_row + column * p.y_pixel,
            largest_of_four(left[0], left[1], left[2], left[3]),
            largest_of_four(right[0], right[1], right[2], right[3]));
      continue;
    }
    for (std::int64_t i = 0; i < smaller(2, p.oh - 2 * row); ++i) {
      for (std::int64_t j = 0; j < smaller(2, p.ow - 2 * column); ++j) {
        write(y + (2 * row + i) * p.y_row + (2 * column + j) * p.y_pixel, left[2 * i + j],
              right[2 * i + j]);
      }
    }
  }
}

// As run_pass, for a pass that winograd_fits.
template <class T, class F>
void run_winograd(const Pass<T>& p, F weight) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const Winograd<T> wino{p};
  const std::int64_t plane = p.C * kWidth, packed = p.strips() * 9 * plane;
  T* const strips =
      static_cast<T*>(thread_scratch((packed + wino.weights()) * sizeof(T), Scratch::shared));
  T* const u = strips + packed;
  pack_weights(p, strips, weight);
  transform_weights(p, static_cast<const T*>(strips), u);
  parallel_chunks(ceil_div(wino.tiles(), kTiles), [&](std::int64_t task) {
    const std::int64_t first = task * kTiles, count = smaller(kTiles, wino.tiles() - first);
    T* const v = static_cast<T*>(thread_scratch(wino.buffers() * sizeof(T), Scratch::task));
    T *const m = v + kPositions * wino.apart, *const zeros = m + kPositions * kTiles * kWidth;
    for (std::int64_t c = 0; c < p.C; ++c) zeros[c] = T(0);
    transform_inputs(wino, first, count, static_cast<const T*>(zeros), v);
    const T* strip = u;
    for (std::int64_t o = 0; o < p.O; o += kWidth) {
      for (std::int64_t position = 0; position < kPositions; ++position, strip += plane) {
        tile_gemm<false, false>(count, kWidth, p.C,
                                static_cast<const T*>(v + position * wino.apart), p.C,
                                Strips<T>{strip, plane, kWidth}, m + position * kTiles * kWidth,
                                kWidth, WholeProduct{});
      }
      transform_results(wino, first, count, o, static_cast<const T*>(m));
    }
  });
}
