// CUDA's kernels for images on the CPU, against the reference kernels.
#include <catch2/catch.hpp>

#include "tensor/backend/cuda/fallback.h"
#include "tests/cuda/kernel_check.h"

using namespace athanor;
using namespace athanor::test;

namespace {

constexpr DType kReal[] = {DType::f32, DType::f64, DType::f16, DType::bf16};
constexpr DType kFloat[] = {DType::f32, DType::f64};

std::int64_t out_size(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                      std::int64_t padding, std::int64_t dilation = 1) {
  return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

struct PoolCase {
  Size2 kernel, stride, padding;
};
const std::vector<PoolCase> kPools{{2, 2, 0}, {3, 1, 1}, {3, 2, 1}, {{2, 3}, {3, 2}, {1, 0}}};
constexpr Layout kImageLayouts[] = {Layout::channels, Layout::dense, Layout::gaps};

template <class F>
void for_each_pool(F&& check) {
  for (DType dtype : kReal) {
    for (const PoolCase& c : kPools) {
      for (Layout layout : kImageLayouts) {
        const Dims x{2, 3, 9, 8};
        const Dims y{2, 3, out_size(9, c.kernel.h, c.stride.h, c.padding.h),
                     out_size(8, c.kernel.w, c.stride.w, c.padding.w)};
        check(str(dtype, " kernel ", c.kernel, ' ', name_of(layout)), dtype, c, layout, x, y);
      }
    }
  }
}

// Places of windows: what max_pool2d wrote for an image of these values.
std::vector<double> places_of(const PoolCase& c, const Dims& x, const Dims& y) {
  Arena a;
  const Operand index = a.output(DType::i32, y);
  const Pool2dArgs args{
      c.kernel, c.stride, c.padding, a.input(DType::f32, x), a.output(DType::f32, y), index};
  reference_kernels().max_pool2d.run(args);
  const auto* places = index.as<std::int32_t>();
  return {places, places + index.numel()};
}

}  // namespace

TEST_CASE("pooling, forward and backward") {
  for_each_pool(
      [](const std::string& name, DType dtype, const PoolCase& c, Layout layout, Dims x, Dims y) {
        check_kernel<Pool2dArgs>("max_pool2d " + name, cuda::max_pool2d, &Kernels::max_pool2d,
                                 kExact, [&](Arena& a) {
                                   return Pool2dArgs{c.kernel,
                                                     c.stride,
                                                     c.padding,
                                                     a.input(dtype, x, layout, {-2, 2, true}),
                                                     a.output(dtype, y, layout),
                                                     a.output(DType::i32, y, layout)};
                                 });
        const std::vector<double> places = places_of(c, x, y);
        check_kernel<Pool2dArgs>("max_pool2d_backward " + name, cuda::max_pool2d_backward,
                                 &Kernels::max_pool2d_backward, {}, [&](Arena& a) {
                                   return Pool2dArgs{c.kernel,
                                                     c.stride,
                                                     c.padding,
                                                     a.output(dtype, x, layout),
                                                     a.input(dtype, y, layout),
                                                     a.given(DType::i32, y, places, layout)};
                                 });
        check_kernel<Pool2dArgs>("max_pool2d_gather " + name, cuda::max_pool2d_gather,
                                 &Kernels::max_pool2d_gather, kExact, [&](Arena& a) {
                                   return Pool2dArgs{c.kernel,
                                                     c.stride,
                                                     c.padding,
                                                     a.input(dtype, x, layout),
                                                     a.output(dtype, y, layout),
                                                     a.given(DType::i32, y, places, layout)};
                                 });
        check_kernel<Pool2dArgs>("avg_pool2d " + name, cuda::avg_pool2d, &Kernels::avg_pool2d, {},
                                 [&](Arena& a) {
                                   return Pool2dArgs{c.kernel,
                                                     c.stride,
                                                     c.padding,
                                                     a.input(dtype, x, layout),
                                                     a.output(dtype, y, layout),
                                                     Arena::none(DType::i32)};
                                 });
        check_kernel<Pool2dArgs>("avg_pool2d_backward " + name, cuda::avg_pool2d_backward,
                                 &Kernels::avg_pool2d_backward, {}, [&](Arena& a) {
                                   return Pool2dArgs{c.kernel,
                                                     c.stride,
                                                     c.padding,
                                                     a.output(dtype, x, layout),
                                                     a.input(dtype, y, layout),
                                                     Arena::none(DType::i32)};
                                 });
      });
}

namespace {

struct BatchNormCase {
  Dims sizes;
  Layout layout;
};
const std::vector<BatchNormCase> kBatchNorms{
    {{7, 5}, Layout::dense},           {{2, 3, 4, 5}, Layout::dense},
    {{2, 40, 4, 5}, Layout::channels}, {{3, 8, 20, 20}, Layout::channels},
    {{4, 33, 3, 3}, Layout::gaps},     {{600, 4}, Layout::dense}};

}  // namespace

TEST_CASE("batch normalisation, forward and backward") {
  for (DType dtype : kFloat) {
    for (const BatchNormCase& c : kBatchNorms) {
      const std::string name = str(dtype, ' ', c.sizes[0], " images ", name_of(c.layout));
      const Dims C{c.sizes[1]};
      check_kernel<BatchNormStatisticsArgs>(
          "batch_norm_statistics " + name, cuda::batch_norm_statistics,
          &Kernels::batch_norm_statistics, {}, [&](Arena& a) {
            return BatchNormStatisticsArgs{a.input(dtype, c.sizes, c.layout, {2, 5}),
                                           a.output(dtype, C), a.output(dtype, C)};
          });
      for (bool relu : {false, true}) {
        check_kernel<BatchNormArgs>("batch_norm " + name, cuda::batch_norm, &Kernels::batch_norm,
                                    {}, [&](Arena& a) {
                                      return BatchNormArgs{a.input(dtype, c.sizes, c.layout),
                                                           a.input(dtype, C),
                                                           a.input(dtype, C),
                                                           a.input(dtype, C),
                                                           a.input(dtype, C),
                                                           a.output(dtype, c.sizes, c.layout),
                                                           relu};
                                    });
        check_kernel<BatchNormBackwardArgs>(
            "batch_norm_backward " + name, cuda::batch_norm_backward, &Kernels::batch_norm_backward,
            {5e-6}, [&](Arena& a) {
              return BatchNormBackwardArgs{a.input(dtype, c.sizes, c.layout),
                                           a.input(dtype, C),
                                           a.input(dtype, C),
                                           a.input(dtype, C),
                                           a.input(dtype, C),
                                           a.input(dtype, c.sizes),
                                           a.output(dtype, c.sizes, c.layout),
                                           a.output(dtype, C),
                                           a.output(dtype, C),
                                           relu};
            });
      }
    }
  }
}

namespace {

struct ConvCase {
  Dims x;  // N, I, H, W
  Dims w;  // O, I / groups, kH, kW
  Size2 stride, padding, dilation;
  std::int64_t groups;
};
const std::vector<ConvCase> kConvs{{{2, 3, 7, 6}, {4, 3, 3, 3}, 1, 1, 1, 1},
                                   {{1, 4, 8, 9}, {6, 2, 3, 2}, {2, 1}, {1, 0}, {1, 2}, 2},
                                   {{2, 4, 5, 5}, {4, 1, 3, 3}, 2, 1, 1, 4},
                                   {{1, 2, 4, 4}, {3, 2, 1, 1}, 1, 0, 1, 1}};

}  // namespace

TEST_CASE("direct convolution, forward and backward") {
  for (DType dtype : kReal) {
    for (const ConvCase& c : kConvs) {
      const Dims y{c.x[0], c.w[0], out_size(c.x[2], c.w[2], c.stride.h, c.padding.h, c.dilation.h),
                   out_size(c.x[3], c.w[3], c.stride.w, c.padding.w, c.dilation.w)};
      for (Layout layout : kImageLayouts) {
        for (bool bias : {false, true}) {
          const auto args = [&](const Operand& x, const Operand& w, const Operand& b,
                                const Operand& out) {
            return Conv2dArgs{c.stride, c.padding, c.dilation, c.groups, x, w, b, out};
          };
          check_kernel<Conv2dArgs>(
              "conv2d", cuda::conv2d_direct, &Kernels::conv2d, {}, [&](Arena& a) {
                return args(a.input(dtype, c.x, layout), a.input(dtype, c.w),
                            bias ? a.input(dtype, {c.w[0]}) : Arena::none(dtype),
                            a.output(dtype, y, layout));
              });
          check_kernel<Conv2dArgs>("conv2d_backward_weight", cuda::conv2d_direct_backward_weight,
                                   &Kernels::conv2d_backward_weight, {}, [&](Arena& a) {
                                     return args(
                                         a.input(dtype, c.x, layout), a.output(dtype, c.w),
                                         bias ? a.output(dtype, {c.w[0]}) : Arena::none(dtype),
                                         a.input(dtype, y, layout));
                                   });
        }
        check_kernel<Conv2dArgs>("conv2d_backward_input", cuda::conv2d_direct_backward_input,
                                 &Kernels::conv2d_backward_input, {}, [&](Arena& a) {
                                   return Conv2dArgs{c.stride,
                                                     c.padding,
                                                     c.dilation,
                                                     c.groups,
                                                     a.output(dtype, c.x, layout),
                                                     a.input(dtype, c.w),
                                                     Arena::none(dtype),
                                                     a.input(dtype, y, layout)};
                                 });
      }
    }
  }
}
