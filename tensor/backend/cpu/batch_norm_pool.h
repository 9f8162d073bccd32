// Batch normalisation with max pooling over windows of 2 x 2 in one pass: what lies between the two
// is never written. Images in N, H, W, C order whose windows tile them exactly.
//
// Included after isa_begin.h and row.h, into an unnamed namespace.
#pragma once

// Rows of windows: each covers two rows of x.
struct WindowRows {
  std::int64_t C, W, Wo, count, chunk, chunks;  // count: of all images; chunk: rows at a time

  explicit WindowRows(const Operand& x)
      : C(x.sizes[1]), W(x.sizes[3]), Wo(W / 2), count(x.sizes[0] * (x.sizes[2] / 2)) {
    const std::int64_t elements = 2 * W * C;
    chunk = 4096 / elements > 0 ? 4096 / elements : 1;
    chunks = (count + chunk - 1) / chunk;
  }

  // Calls f(k, first row, last row) for each chunk, on several threads.
  template <class F>
  void for_each_chunk(F&& f) const {
    parallel_for(chunks, 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        f(k, k * chunk, (k + 1) * chunk < count ? (k + 1) * chunk : count);
      }
    });
  }
};

// One row of Wo windows. `place` is that of the row's first element in its plane; `x` points to it.
template <class T, bool kRelu>
void pool_normalised(const T* __restrict x, const WindowRows& p, std::int64_t place,
                     const T* __restrict mean, const T* __restrict rstd, const T* __restrict gamma,
                     const T* __restrict beta, T* __restrict y, std::int32_t* __restrict index) {
  using V = typename VectorOf<T>::type;
  using Place = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;  // as wide as T
  typedef Place I __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
  constexpr std::int64_t W = VectorOf<T>::lanes;
  const std::int64_t C = p.C, below = p.W * C;
  const V zero{};
  const I none{};
  for (std::int64_t j = 0; j < p.Wo; ++j, x += 2 * C, y += C, index += C, place += 2) {
    for (std::int64_t c = 0; c < C; c += W) {
      const std::int64_t count = C - c < W ? C - c : W;
      const auto load = [&](const T* from, V& to) {
        if (count == W) {
          to = load_lanes(from);
        } else {
          to = zero;
          for (std::int64_t k = 0; k < count; ++k) to[k] = from[k];
        }
      };
      V m, r, g, b;
      load(mean + c, m);
      load(rstd + c, r);
      load(gamma + c, g);
      load(beta + c, b);
      V best;
      I best_place;
      ATHANOR_UNROLL
      for (std::int64_t tap = 0; tap < 4; ++tap) {
        const std::int64_t row = tap / 2, column = tap % 2;
        V value;
        load(x + c + row * below + column * C, value);
        value = (value - m) * r * g + b;
        if (kRelu) value = value < zero ? zero : value;
        const I here = none + static_cast<Place>(place + row * p.W + column);
        if (tap == 0) {
          best = value;
          best_place = here;
        } else {
          // NaN wins, the first one stays.
          const I wins = ~(value <= best) & (best == best);
          best = wins ? value : best;
          best_place = wins ? here : best_place;
        }
      }
      if (count == W && sizeof(Place) == sizeof(std::int32_t)) {
        store_lanes(y + c, best);
        *reinterpret_cast<I*>(index + c) = best_place;
      } else {
        for (std::int64_t k = 0; k < count; ++k) {
          y[c + k] = best[k];
          index[c + k] = static_cast<std::int32_t>(best_place[k]);
        }
      }
    }
  }
}

template <class T, bool kRelu>
void batch_norm_pool(const BatchNormArgs& a) {
  const WindowRows p(a.x);
  p.for_each_chunk([&](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) {
      const std::int64_t place = row % (a.x.sizes[2] / 2) * 2 * p.W, to = row * p.Wo * p.C;
      pool_normalised<T, kRelu>(a.x.as<T>() + row * 2 * p.W * p.C, p, place, a.mean.as<T>(),
                                a.rstd.as<T>(), a.gamma.as<T>(), a.beta.as<T>(), a.y.as<T>() + to,
                                a.index.as<std::int32_t>() + to);
    }
  });
}

// dgamma += sum of g xhat, dbeta += sum of g over a row of windows; g = dy at the window's largest
// element, unless relu cut it.
template <class T, bool kRelu>
void add_pooled_gradients(const T* __restrict x, const T* __restrict dy,
                          const std::int32_t* __restrict index, const WindowRows& p,
                          std::int64_t place, const T* __restrict mean, const T* __restrict rstd,
                          const T* __restrict gamma, const T* __restrict beta, T* __restrict dgamma,
                          T* __restrict dbeta) {
  const std::int64_t C = p.C, below = p.W * C;
  for (std::int64_t j = 0; j < p.Wo; ++j, x += 2 * C, dy += C, index += C, place += 2) {
    const auto right = static_cast<std::int32_t>(place + 1);
    const auto down = static_cast<std::int32_t>(place + p.W), last = down + 1;
    ATHANOR_INDEPENDENT
    for (std::int64_t c = 0; c < C; ++c) {
      T from = x[c];
      from = index[c] == right ? x[C + c] : from;
      from = index[c] == down ? x[below + c] : from;
      from = index[c] == last ? x[below + C + c] : from;
      const T xhat = (from - mean[c]) * rstd[c];
      const T g = !kRelu || xhat * gamma[c] + beta[c] > T(0) ? dy[c] : T(0);
      dgamma[c] += g * xhat;
      dbeta[c] += g;
    }
  }
}

// dx of a row of windows, as in batch_norm.cpp's input_gradients. All four elements of a window in
// one turn, so that what belongs to a channel is loaded once.
template <class T, bool kRelu>
void pooled_input_gradients(const T* __restrict x, const T* __restrict dy,
                            const std::int32_t* __restrict index, const WindowRows& p,
                            std::int64_t place, const T* __restrict mean, const T* __restrict rstd,
                            const T* __restrict gamma, const T* __restrict beta,
                            const T* __restrict mean_gamma, const T* __restrict mean_beta,
                            T* __restrict dx) {
  const std::int64_t C = p.C, below = p.W * C;
  for (std::int64_t j = 0; j < p.Wo; ++j, place += 2) {
    const T* __restrict upper = x + 2 * j * C;
    const T* __restrict lower = upper + below;
    T* __restrict to = dx + 2 * j * C;
    const T* __restrict g = dy + j * C;
    const std::int32_t* __restrict chosen = index + j * C;
    const auto here = static_cast<std::int32_t>(place), right = here + 1;
    const auto down = static_cast<std::int32_t>(place + p.W), last = down + 1;
    ATHANOR_INDEPENDENT
    for (std::int64_t c = 0; c < C; ++c) {
      const T m = mean[c], r = rstd[c], weight = gamma[c], bias = beta[c];
      const T along = mean_gamma[c], always = mean_beta[c], scale = weight * r, arrived = g[c];
      const std::int32_t largest = chosen[c];
      const T x0 = (upper[c] - m) * r, x1 = (upper[C + c] - m) * r;
      const T x2 = (lower[c] - m) * r, x3 = (lower[C + c] - m) * r;
      T g0 = largest == here ? arrived : T(0), g1 = largest == right ? arrived : T(0);
      T g2 = largest == down ? arrived : T(0), g3 = largest == last ? arrived : T(0);
      if (kRelu) {
        g0 = x0 * weight + bias > T(0) ? g0 : T(0);
        g1 = x1 * weight + bias > T(0) ? g1 : T(0);
        g2 = x2 * weight + bias > T(0) ? g2 : T(0);
        g3 = x3 * weight + bias > T(0) ? g3 : T(0);
      }
      to[c] = scale * (g0 - always - x0 * along);
      to[C + c] = scale * (g1 - always - x1 * along);
      to[below + c] = scale * (g2 - always - x2 * along);
      to[below + C + c] = scale * (g3 - always - x3 * along);
    }
  }
}
