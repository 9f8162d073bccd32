// CUDA's reductions and matrix products on the CPU, against the reference kernels.
#include <catch2/catch.hpp>

#include "tensor/backend/cuda/fallback.h"
#include "tests/cuda/kernel_check.h"

using namespace athanor;
using namespace athanor::test;

namespace {

constexpr DType kReal[] = {DType::f32, DType::f64, DType::f16, DType::bf16};
constexpr DType kDTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16,   DType::i8,
                             DType::u8,  DType::i32, DType::i64, DType::boolean};

// x reduced over the axes of `mask`.
ReduceArgs reduce_args(Arena& a, ReduceOp op, DType dtype, Dims sizes, unsigned mask, Layout layout,
                       Values values) {
  Dims kept = sizes;
  for (int i = 0; i < sizes.size(); ++i) {
    if (mask >> i & 1u) kept[i] = 1;
  }
  const bool to_bool = op == ReduceOp::any || op == ReduceOp::all;
  const Operand x = a.input(dtype, sizes, layout, values);
  return {op, x, a.expanded(a.output(to_bool ? DType::boolean : dtype, kept), sizes)};
}

}  // namespace

TEST_CASE("reductions over every set of axes") {
  for (DType dtype : kDTypes) {
    for (ReduceOp op :
         {ReduceOp::sum, ReduceOp::max, ReduceOp::min, ReduceOp::any, ReduceOp::all}) {
      if (dtype == DType::boolean && op <= ReduceOp::min) continue;
      const bool special = op == ReduceOp::max || op == ReduceOp::min;
      for (unsigned mask = 0; mask < 16; ++mask) {
        check_kernel<ReduceArgs>(
            str("reduce ", static_cast<int>(op), ' ', dtype, " axes ", mask), cuda::reduce,
            &Kernels::reduce, {5e-6}, [&](Arena& a) {
              return reduce_args(a, op, dtype, {2, 3, 4, 9}, mask, Layout::dense, {-5, 5, special});
            });
      }
      for (Layout layout : kLayouts) {
        check_kernel<ReduceArgs>(
            str("reduce ", static_cast<int>(op), ' ', dtype, ' ', name_of(layout)), cuda::reduce,
            &Kernels::reduce, {5e-6}, [&](Arena& a) {
              return reduce_args(a, op, dtype, {3, 5, 40}, 2, layout, {-5, 5, special});
            });
      }
    }
  }
}

TEST_CASE("long reductions in parts, and many short ones") {
  struct Case {
    Dims sizes;
    unsigned mask;
  };
  const std::vector<Case> cases{{{40001}, 1},   {{3, 20000}, 2},   {{700, 33}, 1},
                                {{3000, 2}, 1}, {{2, 9000, 2}, 2}, {{9000, 3}, 2},
                                {{2, 1200}, 2}, {{5000, 40}, 1}};
  for (DType dtype : {DType::f32, DType::f16, DType::i64}) {
    for (ReduceOp op : {ReduceOp::sum, ReduceOp::max, ReduceOp::any}) {
      for (const Case& c : cases) {
        check_kernel<ReduceArgs>(
            str("reduce ", dtype, ' ', c.sizes[0]), cuda::reduce, &Kernels::reduce, {5e-6},
            [&](Arena& a) {
              return reduce_args(a, op, dtype, c.sizes, c.mask, Layout::dense, {-1, 2});
            });
      }
    }
  }
}

TEST_CASE("tiled matrix product in every layout, with and without bias") {
  struct Case {
    std::int64_t M, N, K;
  };
  for (DType dtype : kReal) {
    for (const Case& c : {Case{1, 1, 1}, Case{65, 3, 17}, Case{7, 70, 0}, Case{33, 66, 40}}) {
      for (Layout x : {Layout::dense, Layout::last2}) {
        for (Layout y : {Layout::dense, Layout::last2}) {
          check_kernel<MatmulArgs>(
              str("matmul ", dtype, ' ', c.M, ' ', name_of(x), ' ', name_of(y)), cuda::matmul_tiled,
              &Kernels::matmul, {5e-6}, [&](Arena& a) {
                return MatmulArgs{a.input(dtype, {c.M, c.K}, x), a.input(dtype, {c.K, c.N}, y),
                                  a.output(dtype, {c.M, c.N}),
                                  x == y ? a.input(dtype, {c.N}) : Arena::none(dtype)};
              });
        }
      }
    }
    check_kernel<MatmulArgs>(
        str("batched matmul ", dtype), cuda::matmul_tiled, &Kernels::matmul, {5e-6}, [&](Arena& a) {
          return MatmulArgs{a.expanded(a.input(dtype, {3, 1, 5, 6}), {3, 2, 5, 6}),
                            a.expanded(a.input(dtype, {2, 6, 7}), {3, 2, 6, 7}),
                            a.output(dtype, {3, 2, 5, 7}),
                            {}};
        });
  }
}

TEST_CASE("AdamW updates parameters and moments, many tensors at once") {
  // The last case needs more than one launch.
  const std::vector<std::vector<std::int64_t>> cases{
      {1}, {3, 64}, {5003, 2, 4096, 8193}, std::vector<std::int64_t>(101, 5)};
  for (DType dtype : {DType::f32, DType::f64}) {
    for (Layout layout : {Layout::dense, Layout::shifted}) {
      for (const auto& sizes : cases) {
        std::vector<AdamWTensor> tensors;
        check_kernel<AdamWArgs>(
            str("adamw ", dtype, ' ', sizes.size()), cuda::adamw, &Kernels::adamw, {1e-6},
            [&](Arena& a) {
              tensors.clear();
              double rate = 0.01;
              for (std::int64_t n : sizes) {
                const Operand p = a.updated(dtype, {n}, layout), g = a.input(dtype, {n}, layout);
                const Operand m = a.updated(dtype, {n}, layout);
                const Operand v = a.updated(dtype, {n}, layout, {0.1, 2});
                tensors.push_back({p.data, g.data, m.data, v.data, n, rate, rate});
                rate += 0.001;
              }
              return AdamWArgs{tensors.data(),
                               static_cast<std::int64_t>(tensors.size()),
                               dtype,
                               0.9,
                               0.999,
                               1e-8,
                               0.5,
                               0.3};
            });
      }
    }
  }
}
