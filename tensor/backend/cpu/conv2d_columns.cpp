// One image and one group at a time: the values under each place of the window become the row of a
// matrix [H' W', kH kW I / groups], and the three passes are products with it. Images are spread
// over threads; partial weight gradients belong to pieces of the batch that its size alone decides,
// and are added in order, so that the bits are the same at every number of threads.
#include "tensor/backend/cpu/conv2d_columns.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "tensor/backend/cpu/matmul.h"
#include "tensor/base/parallel.h"

namespace athanor::cpu {
namespace {

constexpr std::int64_t kPieces = 16;  // of a batch, for the weight's gradient

template <class T>
class Columns {
 public:
  explicit Columns(const Conv2dArgs& a)
      : a_(a),
        I_(a.w.sizes[1]),
        O_(a.w.sizes[0] / a.groups),
        H_(a.x.sizes[2]),
        W_(a.x.sizes[3]),
        kh_(a.w.sizes[2]),
        kw_(a.w.sizes[3]),
        places_(a.y.sizes[2] * a.y.sizes[3]),
        depth_(kh_ * kw_ * I_) {}

  std::int64_t places() const { return places_; }    // H' W'
  std::int64_t depth() const { return depth_; }      // kH kW I / groups
  std::int64_t group_outputs() const { return O_; }  // O / groups
  std::int64_t images() const { return a_.x.sizes[0]; }
  std::int64_t weights() const { return a_.w.numel(); }

  // Calls f(the window's values in x of image n, or -1 where they are padding, offset in a column)
  // for each place and each tap of group g: I / groups values side by side.
  template <class F>
  void for_each_tap(std::int64_t n, std::int64_t g, F&& f) const {
    const std::int64_t C = I_ * a_.groups;
    for (std::int64_t place = 0; place < places_; ++place) {
      const std::int64_t top = place / a_.y.sizes[3] * a_.stride.h - a_.padding.h;
      const std::int64_t left = place % a_.y.sizes[3] * a_.stride.w - a_.padding.w;
      std::int64_t to = place * depth_;
      for (std::int64_t p = 0; p < kh_; ++p) {
        const std::int64_t row = top + p * a_.dilation.h;
        for (std::int64_t q = 0; q < kw_; ++q, to += I_) {
          const std::int64_t column = left + q * a_.dilation.w;
          const bool inside = row >= 0 && row < H_ && column >= 0 && column < W_;
          f(inside ? ((n * H_ + row) * W_ + column) * C + g * I_ : -1, to);
        }
      }
    }
  }

  void gather(std::int64_t n, std::int64_t g, T* columns) const {
    const T* x = a_.x.as<T>();
    for_each_tap(n, g, [&](std::int64_t from, std::int64_t to) {
      if (from < 0) {
        std::fill_n(columns + to, I_, T(0));
      } else {
        std::copy_n(x + from, I_, columns + to);
      }
    });
  }
  void scatter(std::int64_t n, std::int64_t g, const T* columns) const {
    T* x = a_.x.as<T>();
    for_each_tap(n, g, [&](std::int64_t to, std::int64_t from) {
      for (std::int64_t c = 0; to >= 0 && c < I_; ++c) x[to + c] += columns[from + c];
    });
  }

  // y of image n, channels of group g: [places, O / groups] in one block, from or to y.
  void read_y(std::int64_t n, std::int64_t g, T* block) const {
    each_y(n, g, [&](T* y, std::int64_t at) { std::copy_n(y, O_, block + at); });
  }
  void write_y(std::int64_t n, std::int64_t g, const T* block) const {
    each_y(n, g, [&](T* y, std::int64_t at) { std::copy_n(block + at, O_, y); });
  }

  // Element i of w in [groups, O / groups, kH, kW, I / groups] order is w's element permuted(i).
  std::int64_t permuted(std::int64_t i) const {
    const std::int64_t c = i % I_, tap = i / I_ % (kh_ * kw_), o = i / depth_;
    return (o * I_ + c) * kh_ * kw_ + tap;
  }
  std::vector<T> packed_weights() const {
    std::vector<T> packed(static_cast<std::size_t>(weights()));
    for (std::int64_t i = 0; i < weights(); ++i) {
      packed[static_cast<std::size_t>(i)] = a_.w.as<T>()[permuted(i)];
    }
    return packed;
  }

 private:
  template <class F>
  void each_y(std::int64_t n, std::int64_t g, F&& f) const {
    const std::int64_t channels = O_ * a_.groups;
    for (std::int64_t place = 0; place < places_; ++place) {
      f(a_.y.as<T>() + (n * places_ + place) * channels + g * O_, place * O_);
    }
  }

  const Conv2dArgs& a_;
  std::int64_t I_, O_, H_, W_, kh_, kw_, places_, depth_;
};

// z [M, N] = x y (+ bias), x and y row-major unless transposed.
template <class T>
void multiply(const T* x, bool x_transposed, const T* y, bool y_transposed, T* z, std::int64_t M,
              std::int64_t N, std::int64_t K, const T* bias = nullptr) {
  const std::int64_t x_sizes[] = {M, K}, y_sizes[] = {K, N}, z_sizes[] = {M, N};
  const std::int64_t x_strides[] = {x_transposed ? 1 : K, x_transposed ? M : 1};
  const std::int64_t y_strides[] = {y_transposed ? 1 : N, y_transposed ? K : 1};
  const std::int64_t z_strides[] = {N, 1}, one = 1;
  const auto operand = [](const T* data, const std::int64_t* sizes, const std::int64_t* strides,
                          int rank) {
    return Operand{const_cast<T*>(data), sizes, strides, rank, DTypeOf<T>::value};
  };
  own_matmul({operand(x, x_sizes, x_strides, 2), operand(y, y_sizes, y_strides, 2),
              operand(z, z_sizes, z_strides, 2),
              bias ? operand(bias, z_sizes + 1, &one, 1) : Operand{}});
}

template <class T>
void forward(const Conv2dArgs& a) {
  const Columns<T> c(a);
  const std::vector<T> w = c.packed_weights();
  const std::int64_t P = c.places(), D = c.depth(), O = c.group_outputs();
  parallel_for(c.images(), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<T> columns(static_cast<std::size_t>(P * D)), y(static_cast<std::size_t>(P * O));
    for (std::int64_t n = begin; n < end; ++n) {
      for (std::int64_t g = 0; g < a.groups; ++g) {
        c.gather(n, g, columns.data());
        multiply(columns.data(), false, w.data() + g * O * D, true, y.data(), P, O, D,
                 a.b.data ? a.b.as<T>() + g * O : nullptr);
        c.write_y(n, g, y.data());
      }
    }
  });
}

template <class T>
void backward_input(const Conv2dArgs& a) {
  const Columns<T> c(a);
  const std::vector<T> w = c.packed_weights();
  const std::int64_t P = c.places(), D = c.depth(), O = c.group_outputs();
  const std::int64_t image = a.x.numel() / c.images();
  parallel_for(c.images(), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<T> columns(static_cast<std::size_t>(P * D)), dy(static_cast<std::size_t>(P * O));
    for (std::int64_t n = begin; n < end; ++n) {
      std::fill_n(a.x.as<T>() + n * image, image, T(0));
      for (std::int64_t g = 0; g < a.groups; ++g) {
        c.read_y(n, g, dy.data());
        multiply(dy.data(), false, w.data() + g * O * D, false, columns.data(), P, D, O);
        c.scatter(n, g, columns.data());
      }
    }
  });
}

template <class T>
void backward_weight(const Conv2dArgs& a) {
  const Columns<T> c(a);
  const std::int64_t P = c.places(), D = c.depth(), O = c.group_outputs();
  const std::int64_t size = (c.images() + kPieces - 1) / kPieces;
  const std::int64_t pieces = (c.images() + size - 1) / size, outputs = a.w.sizes[0];
  // For each piece: its sums for w, packed, and for b.
  const auto stride = static_cast<std::size_t>(c.weights() + outputs);
  std::vector<T> sums(static_cast<std::size_t>(pieces) * stride);
  parallel_chunks(pieces, [&](std::int64_t piece) {
    std::vector<T> columns(static_cast<std::size_t>(P * D)), dy(static_cast<std::size_t>(P * O));
    std::vector<T> product(static_cast<std::size_t>(O * D));
    T* dw = sums.data() + static_cast<std::size_t>(piece) * stride;
    T* db = dw + c.weights();
    for (std::int64_t n = piece * size; n < std::min((piece + 1) * size, c.images()); ++n) {
      for (std::int64_t g = 0; g < a.groups; ++g) {
        c.gather(n, g, columns.data());
        c.read_y(n, g, dy.data());
        multiply(dy.data(), true, columns.data(), false, product.data(), O, D, P);
        for (std::int64_t i = 0; i < O * D; ++i) {
          dw[g * O * D + i] += product[static_cast<std::size_t>(i)];
        }
        for (std::int64_t i = 0; i < P * O; ++i) {
          db[g * O + i % O] += dy[static_cast<std::size_t>(i)];
        }
      }
    }
  });
  const auto total = [&](std::int64_t i) {
    T sum = 0;
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      sum += sums[static_cast<std::size_t>(piece) * stride + static_cast<std::size_t>(i)];
    }
    return sum;
  };
  for (std::int64_t i = 0; i < c.weights(); ++i) a.w.as<T>()[c.permuted(i)] = total(i);
  for (std::int64_t o = 0; a.b.data && o < outputs; ++o) a.b.as<T>()[o] = total(c.weights() + o);
}

}  // namespace

void columns_conv2d(const Conv2dArgs& a) {
  detail::note_path("columns");
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) { forward<T>(a); });
}
void columns_conv2d_backward_input(const Conv2dArgs& a) {
  detail::note_path("columns");
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) { backward_input<T>(a); });
}
void columns_conv2d_backward_weight(const Conv2dArgs& a) {
  detail::note_path("columns");
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) { backward_weight<T>(a); });
}

}  // namespace athanor::cpu
