// CUDA's layer normalisation and attention (plain and on tensor cores) and its random numbers on
// the CPU, against the reference kernels and tensor/random.cpp.
#include <catch2/catch.hpp>

#include "tensor/backend/cuda/cuda.h"
#include "tests/cuda/kernel_check.h"

using namespace athanor;
using namespace athanor::test;

namespace {

constexpr DType kReal[] = {DType::f32, DType::f64, DType::f16, DType::bf16};

DType wide_of(DType dtype) { return size_of(dtype) == 2 ? DType::f32 : dtype; }

}  // namespace

TEST_CASE("layer and RMS normalisation, with and without residual and parameters") {
  for (DType dtype : kReal) {
    for (RowNormOp op : {RowNormOp::layer_norm, RowNormOp::rms_norm}) {
      for (const Dims& sizes : {Dims{1, 1}, Dims{5, 24}, Dims{70, 33}, Dims{2, 1500}, Dims{300, 8},
                                Dims{3, 768}, Dims{2, 400}}) {
        for (Layout layout : {Layout::dense, Layout::shifted}) {
          for (bool all : {false, true}) {
            const Dims rows{sizes[0]}, n{sizes[1]};
            const std::string name = str(dtype, ' ', sizes[0], " x ", sizes[1], all ? " all" : "");
            const auto maybe = [&](Arena& a, const Dims& of, Layout in) {
              return all ? a.input(dtype, of, in) : Arena::none(dtype);
            };
            check_kernel<RowNormArgs>(
                "row_norm " + name, cuda::row_norm, &Kernels::row_norm, {5e-6}, [&](Arena& a) {
                  return RowNormArgs{op,
                                     1e-5,
                                     a.input(dtype, sizes, layout, {-1, 3}),
                                     maybe(a, sizes, Layout::dense),
                                     maybe(a, n, Layout::dense),
                                     maybe(a, n, Layout::shifted),
                                     a.output(dtype, sizes),
                                     all ? a.output(dtype, sizes, layout) : Arena::none(dtype),
                                     a.output(wide_of(dtype), rows),
                                     a.output(wide_of(dtype), rows)};
                });
            check_kernel<RowNormBackwardArgs>("row_norm_backward " + name, cuda::row_norm_backward,
                                              &Kernels::row_norm_backward, {1e-5}, [&](Arena& a) {
                                                return RowNormBackwardArgs{
                                                    op,
                                                    a.input(dtype, sizes, layout),
                                                    maybe(a, n, Layout::dense),
                                                    a.input(wide_of(dtype), rows),
                                                    a.input(wide_of(dtype), rows),
                                                    a.input(dtype, sizes),
                                                    maybe(a, sizes, Layout::dense),
                                                    a.output(dtype, sizes, layout),
                                                    all ? a.output(dtype, n) : Arena::none(dtype),
                                                    all ? a.output(dtype, n) : Arena::none(dtype)};
                                              });
          }
        }
      }
    }
  }
}

namespace {

struct AttentionCase {
  std::int64_t B, H, Hkv, Lq, Lk, D;
  bool causal = false, mask = false, lengths = false;
  Layout layout = Layout::dense;
};
// Parts of a tile, several tiles, shared key heads, rows that see nothing, odd head sizes.
const std::vector<AttentionCase> kCases{{1, 1, 1, 1, 1, 1},
                                        {2, 2, 1, 7, 9, 8, false, true},
                                        {1, 2, 2, 70, 70, 16, true},
                                        {2, 1, 1, 20, 40, 33, false, false, true, Layout::gaps},
                                        {1, 2, 1, 90, 50, 64, true, false, true, Layout::channels},
                                        {1, 1, 1, 40, 100, 72, true, true},
                                        {1, 2, 2, 18, 130, 128, false, false, false, Layout::last2},
                                        {1, 3, 3, 150, 140, 48, true},
                                        {2, 2, 1, 130, 200, 64},
                                        {1, 1, 1, 5, 6, 200}};

Dims dims(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) { return {a, b, c, d}; }

// The lengths of the batches: all, then less, down to none.
std::vector<double> lengths_of(const AttentionCase& c) {
  std::vector<double> lengths;
  for (std::int64_t b = 0; b < c.B; ++b) lengths.push_back(double(c.Lk * (c.B - b) / (c.B + 1)));
  return lengths;
}

// Rounded products leave the 16-bit formats less exact than one rounding.
constexpr Tolerance kForward{2e-6, 1e-13, 2e-3, 1.6e-2};
constexpr Tolerance kBackward{1e-5, 1e-12, 6e-3, 4e-2};

template <class F>
void for_each_attention(F&& check) {
  for (DType dtype : kReal) {
    for (const AttentionCase& c : kCases) {
      check(str(dtype, " B ", c.B, " H ", c.H, " Lq ", c.Lq, " Lk ", c.Lk, " D ", c.D), dtype, c);
    }
  }
}

struct Operands {
  Operand q, k, v, mask, lengths;
};
Operands operands(Arena& a, DType dtype, const AttentionCase& c) {
  Operands o;
  o.q = a.input(dtype, dims(c.B, c.H, c.Lq, c.D), c.layout);
  o.k = a.input(dtype, dims(c.B, c.Hkv, c.Lk, c.D), c.layout);
  o.v = a.input(dtype, dims(c.B, c.Hkv, c.Lk, c.D), c.layout);
  o.mask = c.mask ? a.expanded(a.input(dtype, dims(c.B, 1, 1, c.Lk)), dims(c.B, c.H, c.Lq, c.Lk))
                  : Arena::none(dtype);
  o.lengths = c.lengths ? a.given(DType::i64, {c.B}, lengths_of(c)) : Arena::none(DType::i64);
  return o;
}

}  // namespace

TEST_CASE("attention forward") {
  for_each_attention([](const std::string& name, DType dtype, const AttentionCase& c) {
    const double scale = 1 / std::sqrt(static_cast<double>(c.D));
    check_kernel<AttentionArgs>(
        "attention " + name, cuda::attention, &Kernels::attention, kForward, [&](Arena& a) {
          const Operands o = operands(a, dtype, c);
          return AttentionArgs{o.q,
                               o.k,
                               o.v,
                               o.mask,
                               o.lengths,
                               scale,
                               c.causal,
                               a.output(dtype, dims(c.B, c.H, c.Lq, c.D), c.layout),
                               a.output(wide_of(dtype), Dims{c.B, c.H, c.Lq})};
        });
  });
}

TEST_CASE("attention backward") {
  for_each_attention([](const std::string& name, DType dtype, const AttentionCase& c) {
    const double scale = 1 / std::sqrt(static_cast<double>(c.D));
    check_kernel<AttentionBackwardArgs>(
        "attention_backward " + name, cuda::attention_backward, &Kernels::attention_backward,
        kBackward, [&](Arena& a) {
          const Operands o = operands(a, dtype, c);
          // y and lse as the forward kernel of the reference gives them.
          const Operand y = a.output(dtype, dims(c.B, c.H, c.Lq, c.D));
          const Operand lse = a.output(wide_of(dtype), Dims{c.B, c.H, c.Lq});
          reference_kernels().attention.run(
              {o.q, o.k, o.v, o.mask, o.lengths, scale, c.causal, y, lse});
          return AttentionBackwardArgs{o.q,
                                       o.k,
                                       o.v,
                                       o.mask,
                                       o.lengths,
                                       scale,
                                       c.causal,
                                       y,
                                       lse,
                                       a.input(dtype, dims(c.B, c.H, c.Lq, c.D), c.layout),
                                       a.output(dtype, dims(c.B, c.H, c.Lq, c.D), c.layout),
                                       a.output(dtype, dims(c.B, c.Hkv, c.Lk, c.D)),
                                       a.output(dtype, dims(c.B, c.Hkv, c.Lk, c.D), c.layout)};
        });
  });
}
