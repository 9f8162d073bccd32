// CUDA's elementwise kernels on the CPU, against the reference kernels.
#include <catch2/catch.hpp>

#include "tests/cuda/kernel_check.h"

using namespace athanor;
using namespace athanor::test;

namespace {

constexpr DType kDTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16,   DType::i8,
                             DType::u8,  DType::i32, DType::i64, DType::boolean};

// Empty, 0-dim, one element, packs with and without a rest, more than the grid has threads, rank 4.
const std::vector<Dims> kShapes{{}, {0}, {1}, {17}, {64}, {3, 0, 2}, {5, 24}, {2, 3, 4, 5}};

}  // namespace

TEST_CASE("copy moves and converts every pair of dtypes") {
  for (DType from : kDTypes) {
    for (DType to : kDTypes) {
      for (Layout layout : kLayouts) {
        check_kernel<CopyArgs>(str("copy ", from, " to ", to, ' ', name_of(layout)), cuda::copy,
                               &Kernels::copy, kExact, [&](Arena& a) {
                                 return CopyArgs{
                                     a.input(from, {3, 5, 8}, layout, {-300, 300, true}),
                                     a.output(to, {3, 5, 8})};
                               });
      }
      for (const Dims& shape : kShapes) {
        check_kernel<CopyArgs>(str("copy ", from, " to ", to, " of rank ", shape.size()),
                               cuda::copy, &Kernels::copy, kExact, [&](Arena& a) {
                                 return CopyArgs{a.input(from, shape, Layout::dense, {-3, 3, true}),
                                                 a.output(to, shape)};
                               });
      }
    }
  }
}

TEST_CASE("copy into and between strided views") {
  for (Layout from : kLayouts) {
    for (Layout to : kLayouts) {
      check_kernel<CopyArgs>(str("copy ", name_of(from), " to ", name_of(to)), cuda::copy,
                             &Kernels::copy, kExact, [&](Arena& a) {
                               return CopyArgs{a.input(DType::f32, {4, 33, 36}, from),
                                               a.output(DType::f32, {4, 33, 36}, to)};
                             });
    }
  }
}

TEST_CASE("copy and fill of more elements than threads") {
  for (DType dtype : {DType::f32, DType::u8, DType::f64}) {
    check_kernel<CopyArgs>("copy", cuda::copy, &Kernels::copy, kExact, [&](Arena& a) {
      return CopyArgs{a.input(dtype, {70003}), a.output(dtype, {70003})};
    });
    check_kernel<FillArgs>("fill", cuda::fill, &Kernels::fill, kExact, [&](Arena& a) {
      return FillArgs{a.output(dtype, {70003}), 3};
    });
  }
}

TEST_CASE("fill writes every dtype and layout") {
  for (DType dtype : kDTypes) {
    for (Layout layout : kLayouts) {
      check_kernel<FillArgs>("fill", cuda::fill, &Kernels::fill, kExact, [&](Arena& a) {
        return FillArgs{a.output(dtype, {3, 5, 8}, layout), 2.5};
      });
    }
    for (const Dims& shape : kShapes) {
      check_kernel<FillArgs>("fill", cuda::fill, &Kernels::fill, kExact, [&](Arena& a) {
        return FillArgs{a.output(dtype, shape), -1};
      });
    }
  }
}

TEST_CASE("unary computes every operation and dtype") {
  for (DType dtype : kDTypes) {
    for (int i = 0; i <= static_cast<int>(UnaryOp::logical_not); ++i) {
      const auto op = static_cast<UnaryOp>(i);
      const bool to_bool = op >= UnaryOp::is_finite;
      const bool any_number = op == UnaryOp::neg || op == UnaryOp::abs || op == UnaryOp::relu ||
                              op == UnaryOp::square || op == UnaryOp::sign ||
                              op == UnaryOp::clamp || op == UnaryOp::add_scalar ||
                              op == UnaryOp::mul_scalar;
      if (!to_bool && !is_floating(dtype) && (!any_number || dtype == DType::boolean)) continue;
      // Away from the poles of log and sqrt, so that few values are NaN; NaN is compared as well.
      const Values values{op == UnaryOp::log1p ? -0.9 : -6, 6, true};
      for (const Dims& shape : {Dims{}, Dims{0}, Dims{17}, Dims{64}, Dims{5, 24}}) {
        check_kernel<UnaryArgs>(
            str("unary ", i, ' ', dtype), cuda::unary, &Kernels::unary, {}, [&](Arena& a) {
              return UnaryArgs{op, 2, 4, a.input(dtype, shape, Layout::dense, values),
                               a.output(to_bool ? DType::boolean : dtype, shape)};
            });
      }
      for (Layout layout : kLayouts) {
        check_kernel<UnaryArgs>(str("unary ", i, ' ', name_of(layout)), cuda::unary,
                                &Kernels::unary, {}, [&](Arena& a) {
                                  return UnaryArgs{
                                      op, 2, 4, a.input(dtype, {3, 5, 8}, layout, values),
                                      a.output(to_bool ? DType::boolean : dtype, {3, 5, 8})};
                                });
      }
    }
  }
}

TEST_CASE("gradients of activations") {
  for (DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
    for (UnaryOp op : {UnaryOp::relu, UnaryOp::gelu, UnaryOp::gelu_tanh, UnaryOp::silu,
                       UnaryOp::tanh, UnaryOp::sigmoid}) {
      for (Layout layout : kLayouts) {
        check_kernel<UnaryGradArgs>(str("unary_grad ", static_cast<int>(op), ' ', dtype),
                                    cuda::unary_grad, &Kernels::unary_grad, {}, [&](Arena& a) {
                                      return UnaryGradArgs{
                                          op, a.input(dtype, {3, 5, 8}, layout),
                                          a.input(dtype, {3, 5, 8}, Layout::dense, {-2, 2, true}),
                                          a.output(dtype, {3, 5, 8}, layout)};
                                    });
      }
    }
  }
}

TEST_CASE("binary computes every operation and dtype") {
  for (DType dtype : kDTypes) {
    for (int op = 0; op <= static_cast<int>(BinaryOp::logical_xor); ++op) {
      const auto operation = static_cast<BinaryOp>(op);
      const bool to_bool = operation >= BinaryOp::equal, real = is_floating(dtype);
      if (!real && (operation == BinaryOp::div || operation == BinaryOp::pow)) continue;
      if (dtype == DType::boolean && !to_bool) continue;
      // Powers of negative numbers are NaN on both sides.
      const Tolerance tolerance = operation == BinaryOp::pow ? Tolerance{} : kExact;
      for (Layout layout : kLayouts) {
        check_kernel<BinaryArgs>(
            str("binary ", op, ' ', name_of(layout)), cuda::binary, &Kernels::binary, tolerance,
            [&](Arena& a) {
              return BinaryArgs{operation, a.input(dtype, {3, 5, 8}, layout, {-100, 100, true}),
                                a.input(dtype, {3, 5, 8}, Layout::dense, {-9, 9, true}),
                                a.output(to_bool ? DType::boolean : dtype, {3, 5, 8})};
            });
      }
    }
  }
}

TEST_CASE("binary broadcasts") {
  const std::vector<std::pair<Dims, Dims>> shapes{
      {{4, 5, 16}, {16}}, {{4, 5, 16}, {5, 1}}, {{4, 5, 16}, {}},       {{1, 5, 16}, {4, 1, 1}},
      {{4, 5, 17}, {17}}, {{1}, {4, 5, 16}},    {{4, 5, 1}, {1, 5, 16}}};
  for (DType dtype : {DType::f32, DType::bf16, DType::i64}) {
    for (const auto& [x, y] : shapes) {
      const Dims out{4, 5, std::max(x.empty() ? 1 : x.back(), y.empty() ? 1 : y.back())};
      check_kernel<BinaryArgs>("binary", cuda::binary, &Kernels::binary, kExact, [&](Arena& a) {
        return BinaryArgs{BinaryOp::sub, a.expanded(a.input(dtype, x), out),
                          a.expanded(a.input(dtype, y), out), a.output(dtype, out)};
      });
    }
  }
}

TEST_CASE("where chooses in every dtype") {
  for (DType dtype : kDTypes) {
    for (Layout layout : kLayouts) {
      check_kernel<WhereArgs>("where", cuda::where, &Kernels::where, kExact, [&](Arena& a) {
        return WhereArgs{a.input(DType::boolean, {3, 5, 16}, layout),
                         a.input(dtype, {3, 5, 16}, layout, {-3, 3, true}),
                         a.expanded(a.input(dtype, {16}), {3, 5, 16}), a.output(dtype, {3, 5, 16})};
      });
    }
    for (const Dims& shape : kShapes) {
      check_kernel<WhereArgs>("where", cuda::where, &Kernels::where, kExact, [&](Arena& a) {
        return WhereArgs{a.input(DType::boolean, shape), a.input(dtype, shape),
                         a.expanded(a.input(dtype, {}), shape), a.output(dtype, shape)};
      });
    }
  }
}
