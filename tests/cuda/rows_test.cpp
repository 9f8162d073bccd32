// CUDA's kernels by row on the CPU, against the reference kernels.
#include <catch2/catch.hpp>

#include "tests/cuda/kernel_check.h"

using namespace athanor;
using namespace athanor::test;

namespace {

constexpr DType kReal[] = {DType::f32, DType::f64, DType::f16, DType::bf16};
constexpr DType kNumbers[] = {DType::f32, DType::f64, DType::f16, DType::bf16,
                              DType::i8,  DType::u8,  DType::i32, DType::i64};

DType wide_of(DType dtype) { return size_of(dtype) == 2 ? DType::f32 : dtype; }

// Rows of one element up to several tiles of a block; parts of a warp, a warp, a block a row.
const std::vector<Dims> kShapes{{1},
                                {3, 1},
                                {5, 2},
                                {70, 10},
                                {9, 33},
                                {3, 200},
                                {2, 3, 130},
                                {2, 1500},
                                // Kept in registers: by a warp, f64 too, and by a block.
                                {3, 768},
                                {2, 400},
                                {2, 4096}};

Dims without_last(const Dims& sizes) {
  Dims result;
  for (int i = 0; i + 1 < sizes.size(); ++i) result.push_back(sizes[i]);
  return result;
}

// Calls check(name, dtype, sizes, layout, values) over shapes, layouts and special values.
template <class F>
void for_each_case(F&& check) {
  for (DType dtype : kReal) {
    for (const Dims& sizes : kShapes) {
      check(str(dtype, ' ', sizes.size(), " axes, ", sizes.back()), dtype, sizes, Layout::dense,
            Values{-8, 8});
    }
    for (Layout layout : kLayouts) {
      check(str(dtype, ' ', name_of(layout)), dtype, Dims{3, 4, 24}, layout, Values{-8, 8});
    }
    check(str(dtype, " last axis of many slow"), dtype, Dims{4200, 3}, Layout::reversed, Values{});
  }
}

}  // namespace

TEST_CASE("softmax, its logarithm and log-sum-exp") {
  for_each_case([](const std::string& name, DType dtype, Dims sizes, Layout layout, Values values) {
    for (SoftmaxOp op : {SoftmaxOp::softmax, SoftmaxOp::log_softmax}) {
      check_kernel<SoftmaxArgs>("softmax " + name, cuda::softmax, &Kernels::softmax, {},
                                [&](Arena& a) {
                                  return SoftmaxArgs{op, a.input(dtype, sizes, layout, values),
                                                     a.output(dtype, sizes, layout)};
                                });
      check_kernel<SoftmaxGradArgs>(
          "softmax_grad " + name, cuda::softmax_grad, &Kernels::softmax_grad, {5e-6},
          [&](Arena& a) {
            const double high = op == SoftmaxOp::softmax ? 1 : 0, low = high - 1;
            return SoftmaxGradArgs{op, a.input(dtype, sizes, layout, {low, high}),
                                   a.input(dtype, sizes), a.output(dtype, sizes, layout)};
          });
    }
    check_kernel<LogSumExpArgs>("logsumexp " + name, cuda::logsumexp, &Kernels::logsumexp, {},
                                [&](Arena& a) {
                                  return LogSumExpArgs{a.input(dtype, sizes, layout, values),
                                                       a.output(dtype, without_last(sizes))};
                                });
  });
}

TEST_CASE("softmax of infinities and NaN") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const double nan = std::nan("");
  const std::vector<double> values{1,    -inf, 2,    inf, 0, 1, inf,  inf, 3,
                                   -inf, -inf, -inf, nan, 1, 2, -inf, 0.5, -inf};
  for (DType dtype : kReal) {
    for (SoftmaxOp op : {SoftmaxOp::softmax, SoftmaxOp::log_softmax}) {
      check_kernel<SoftmaxArgs>("softmax", cuda::softmax, &Kernels::softmax, {}, [&](Arena& a) {
        return SoftmaxArgs{op, a.given(dtype, {6, 3}, values), a.output(dtype, {6, 3})};
      });
    }
    check_kernel<LogSumExpArgs>(
        "logsumexp", cuda::logsumexp, &Kernels::logsumexp, {}, [&](Arena& a) {
          return LogSumExpArgs{a.given(dtype, {6, 3}, values), a.output(dtype, {6})};
        });
  }
}

TEST_CASE("cross-entropy and its gradient") {
  for_each_case([](const std::string& name, DType dtype, Dims sizes, Layout layout, Values values) {
    const Dims rows = without_last(sizes);
    if (sizes.back() == 1) return;  // the loss is 0 but for rounding
    for (double smoothing : {0.0, 0.1}) {
      check_kernel<CrossEntropyArgs>(
          "cross_entropy " + name, cuda::cross_entropy, &Kernels::cross_entropy, {}, [&](Arena& a) {
            return CrossEntropyArgs{a.input(dtype, sizes, layout, values),
                                    a.indices(rows, sizes.back()), smoothing, a.output(dtype, rows),
                                    a.output(wide_of(dtype), rows)};
          });
      check_kernel<CrossEntropyGradArgs>("cross_entropy_grad " + name, cuda::cross_entropy_grad,
                                         &Kernels::cross_entropy_grad, {5e-6}, [&](Arena& a) {
                                           return CrossEntropyGradArgs{
                                               a.input(dtype, sizes, layout, values),
                                               a.indices(rows, sizes.back()),
                                               a.input(wide_of(dtype), rows, Layout::dense, {8, 9}),
                                               a.input(dtype, rows),
                                               smoothing,
                                               a.output(dtype, sizes, layout)};
                                         });
    }
  });
}

TEST_CASE("distillation loss and its gradient") {
  for_each_case([](const std::string& name, DType dtype, Dims sizes, Layout layout, Values values) {
    const Dims rows = without_last(sizes);
    check_kernel<KlDivArgs>("kl_div " + name, cuda::kl_div, &Kernels::kl_div, {1e-5, 1e-12},
                            [&](Arena& a) {
                              return KlDivArgs{a.input(dtype, sizes, layout, values),
                                               a.input(dtype, sizes, Layout::dense, values),
                                               3.0,
                                               a.output(dtype, rows),
                                               a.output(wide_of(dtype), rows),
                                               a.output(wide_of(dtype), rows)};
                            });
    check_kernel<KlDivGradArgs>(
        "kl_div_grad " + name, cuda::kl_div_grad, &Kernels::kl_div_grad, {5e-6}, [&](Arena& a) {
          return KlDivGradArgs{a.input(dtype, sizes, layout, values),
                               a.input(dtype, sizes, Layout::dense, values),
                               a.input(wide_of(dtype), rows, Layout::dense, {2, 3}),
                               a.input(wide_of(dtype), rows, Layout::dense, {2, 3}),
                               a.input(dtype, rows),
                               3.0,
                               a.output(dtype, sizes, layout)};
        });
  });
}

TEST_CASE("places of extremes: the first of equals, NaN wins") {
  for (DType dtype : kNumbers) {
    for (bool largest : {true, false}) {
      for (const Dims& sizes : kShapes) {
        for (bool special : {false, true}) {
          check_kernel<ArgReduceArgs>(
              str("arg_reduce ", dtype, ' ', sizes.back()), cuda::arg_reduce, &Kernels::arg_reduce,
              kExact, [&](Arena& a) {
                return ArgReduceArgs{largest,
                                     a.input(dtype, sizes, Layout::dense, {0, 20, special}),
                                     a.output(DType::i64, without_last(sizes))};
              });
        }
      }
      for (Layout layout : kLayouts) {
        check_kernel<ArgReduceArgs>(
            "arg_reduce", cuda::arg_reduce, &Kernels::arg_reduce, kExact, [&](Arena& a) {
              return ArgReduceArgs{largest, a.input(dtype, {3, 5, 8}, layout),
                                   a.output(DType::i64, {3, 5})};
            });
      }
    }
  }
}

TEST_CASE("sort is stable, NaN comes last") {
  const std::vector<Dims> shapes{{1}, {4, 2}, {5, 33}, {2, 1024}, {1, 1025}, {2, 3300}};
  for (DType dtype : kNumbers) {
    for (bool descending : {false, true}) {
      for (const Dims& sizes : shapes) {
        if (sizes.back() > 1024 && size_of(dtype) < 4) continue;  // the merge sees keys only
        check_kernel<SortArgs>(
            str("sort ", dtype, ' ', sizes.back()), cuda::sort, &Kernels::sort, kExact,
            [&](Arena& a) {
              return SortArgs{descending, a.input(dtype, sizes, Layout::dense, {0, 99, true}),
                              a.output(dtype, sizes), a.output(DType::i64, sizes)};
            });
      }
      for (Layout layout : kLayouts) {
        check_kernel<SortArgs>("sort", cuda::sort, &Kernels::sort, kExact, [&](Arena& a) {
          return SortArgs{descending, a.input(dtype, {3, 5, 9}, layout, {0, 9, true}),
                          a.output(dtype, {3, 5, 9}, layout), a.output(DType::i64, {3, 5, 9})};
        });
      }
    }
  }
}

TEST_CASE("running sums") {
  const std::vector<Dims> shapes{{1}, {4, 7}, {3, 33}, {2, 1024}, {2, 2600}, {3, 0}, {4200, 40}};
  for (DType dtype : kNumbers) {
    for (bool reverse : {false, true}) {
      for (const Dims& sizes : shapes) {
        if (sizes[0] == 4200 && dtype != DType::f32) continue;
        check_kernel<CumsumArgs>(
            str("cumsum ", dtype, ' ', sizes.back()), cuda::cumsum, &Kernels::cumsum, {},
            [&](Arena& a) {
              return CumsumArgs{reverse, a.input(dtype, sizes), a.output(dtype, sizes)};
            });
      }
      for (Layout layout : kLayouts) {
        check_kernel<CumsumArgs>("cumsum", cuda::cumsum, &Kernels::cumsum, {}, [&](Arena& a) {
          return CumsumArgs{reverse, a.input(dtype, {3, 5, 40}, layout),
                            a.output(dtype, {3, 5, 40}, layout)};
        });
      }
    }
  }
}
