// The gradient of batch normalisation in two steps: first the sums that all of dx depends on, then
// dx in whatever pieces its reader likes.
//
// Included after batch_norm_rows.h and batch_norm_pool.h, into an unnamed namespace.
#pragma once

// Rows are rows of C values or, with an index, pairs of rows of pixels, which a row of windows
// covers. Chunks of rows are summed apart and combined in double, in order.
template <class T, bool kRelu>
class NormGradient {
 public:
  // Writes dgamma and dbeta of `args`, which must live as long.
  explicit NormGradient(const BatchNormBackwardArgs& args)
      : a_(args), rows_(args.x), C_(args.x.sizes[1]) {
    if (a_.index.data) windows_.emplace(a_.x);
    const std::int64_t chunks = windows_ ? windows_->chunks : rows_.chunks;
    // For each chunk: its share of dgamma, of dbeta. At the end: both divided by M.
    sums_.reset(new T[static_cast<std::size_t>((chunks + 1) * 2 * C_)]);
    for_each_chunk([&](std::int64_t first, std::int64_t count) {
      T* to = &sums_[first / (windows_ ? windows_->chunk : rows_.chunk_rows) * 2 * C_];
      for (std::int64_t c = 0; c < 2 * C_; ++c) to[c] = T(0);
      add(first, count, to);
    });
    mean_gamma_ = &sums_[chunks * 2 * C_];
    combine_gradients<T>(sums_.get(), chunks, C_, a_.x.numel() / C_, a_.dgamma.as<T>(),
                         a_.dbeta.as<T>(), mean_gamma_, mean_gamma_ + C_);
  }

  // Elements of dx a row.
  std::int64_t row_size() const { return windows_ ? 2 * windows_->W * C_ : C_; }

  // Calls f(first row, number of rows) for each chunk, on several threads.
  template <class F>
  void for_each_chunk(F f) const {
    if (windows_) {
      windows_->for_each_chunk(
          [&](std::int64_t, std::int64_t first, std::int64_t last) { f(first, last - first); });
    } else {
      rows_.for_each_chunk(
          [&](std::int64_t, std::int64_t first, std::int64_t count) { f(first, count); });
    }
  }

  // The gradients of `count` rows from `first` on, to dx.
  void write(std::int64_t first, std::int64_t count, T* dx) const {
    const T *mean = a_.mean.as<T>(), *rstd = a_.rstd.as<T>(), *gamma = a_.gamma.as<T>(),
            *beta = a_.beta.as<T>(), *mean_beta = mean_gamma_ + C_;
    if (!windows_) {
      return input_gradients<T, kRelu>(a_.x.as<T>() + first * C_, a_.dy.as<T>() + first * C_, count,
                                       C_, mean, rstd, gamma, beta, mean_gamma_, mean_beta, dx);
    }
    for (std::int64_t row = first; row < first + count; ++row, dx += row_size()) {
      pooled_input_gradients<T, kRelu>(a_.x.as<T>() + row * row_size(), dy_of(row), index_of(row),
                                       *windows_, place_of(row), mean, rstd, gamma, beta,
                                       mean_gamma_, mean_beta, dx);
    }
  }
  // Those of image n [H, W, C], in rank 4.
  void write_image(std::int64_t n, T* dx) const {
    const std::int64_t count = a_.x.sizes[2] * a_.x.sizes[3] * C_ / row_size();
    write(n * count, count, dx);
  }

 private:
  void add(std::int64_t first, std::int64_t count, T* to) const {
    const T *mean = a_.mean.as<T>(), *rstd = a_.rstd.as<T>(), *gamma = a_.gamma.as<T>(),
            *beta = a_.beta.as<T>();
    if (!windows_) {
      return add_gradients<T, kRelu>(a_.x.as<T>() + first * C_, a_.dy.as<T>() + first * C_, count,
                                     C_, mean, rstd, gamma, beta, to, to + C_);
    }
    for (std::int64_t row = first; row < first + count; ++row) {
      add_pooled_gradients<T, kRelu>(a_.x.as<T>() + row * row_size(), dy_of(row), index_of(row),
                                     *windows_, place_of(row), mean, rstd, gamma, beta, to,
                                     to + C_);
    }
  }
  const T* dy_of(std::int64_t row) const { return a_.dy.as<T>() + row * windows_->Wo * C_; }
  const std::int32_t* index_of(std::int64_t row) const {
    return a_.index.as<std::int32_t>() + row * windows_->Wo * C_;
  }
  std::int64_t place_of(std::int64_t row) const {
    return row % (a_.x.sizes[2] / 2) * 2 * windows_->W;
  }

  const BatchNormBackwardArgs& a_;
  ChannelRows rows_;
  std::int64_t C_;
  std::optional<WindowRows> windows_;
  std::unique_ptr<T[]> sums_;
  T* mean_gamma_ = nullptr;  // C values, then C of dbeta
};
