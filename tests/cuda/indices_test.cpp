// CUDA's kernels that read and add along indices on the CPU, against the reference kernels.
#include <catch2/catch.hpp>

#include "tensor/backend/cuda/stream.h"
#include "tests/cuda/kernel_check.h"

using namespace athanor;
using namespace athanor::test;

namespace {

constexpr DType kReal[] = {DType::f32, DType::f64, DType::f16, DType::bf16};
constexpr DType kNumbers[] = {DType::f32, DType::f64, DType::f16, DType::bf16,
                              DType::i8,  DType::u8,  DType::i32, DType::i64};
constexpr DType kDTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16,   DType::i8,
                             DType::u8,  DType::i32, DType::i64, DType::boolean};

struct Case {
  std::int64_t outer, n, m, inner;
};
// Rows that move in 1 to 16 bytes; runs over several pieces; nothing to do.
const std::vector<Case> kCases{{1, 5, 7, 16},  {3, 4, 9, 3}, {2, 6, 1, 1}, {1, 3, 700, 2},
                               {2, 2, 300, 1}, {1, 4, 0, 5}, {4, 1, 5, 7}};

std::string describe(const char* name, DType dtype, const Case& c) {
  return str(name, ' ', dtype, ' ', c.outer, ' ', c.n, ' ', c.m, ' ', c.inner);
}

// Offsets of rows with 0 .. 4 entries, and their number.
std::vector<double> row_offsets(std::int64_t rows) {
  std::vector<double> offsets{0};
  for (std::int64_t i = 0; i < rows; ++i) {
    offsets.push_back(offsets.back() + static_cast<double>(i * 7 % 5));
  }
  return offsets;
}

}  // namespace

TEST_CASE("index_select and gather read every dtype") {
  for (DType dtype : kDTypes) {
    for (const Case& c : kCases) {
      check_kernel<IndexSelectArgs>(describe("index_select", dtype, c), cuda::index_select,
                                    &Kernels::index_select, kExact, [&](Arena& a) {
                                      return IndexSelectArgs{
                                          a.input(dtype, {c.outer, c.n, c.inner}),
                                          a.indices({c.m}, c.n),
                                          a.output(dtype, {c.outer, c.m, c.inner}),
                                          c.outer,
                                          c.n,
                                          c.m,
                                          c.inner};
                                    });
      check_kernel<GatherArgs>(describe("gather", dtype, c), cuda::gather, &Kernels::gather, kExact,
                               [&](Arena& a) {
                                 return GatherArgs{a.input(dtype, {c.outer, c.n, c.inner}),
                                                   a.indices({c.outer, c.m, c.inner}, c.n),
                                                   a.output(dtype, {c.outer, c.m, c.inner}),
                                                   c.outer,
                                                   c.n,
                                                   c.m,
                                                   c.inner};
                               });
    }
  }
}

TEST_CASE("index_add and scatter_add, ordered sums") {
  for (DType dtype : kNumbers) {
    for (const Case& c : kCases) {
      check_kernel<IndexAddArgs>(describe("index_add", dtype, c), cuda::index_add,
                                 &Kernels::index_add, {}, [&](Arena& a) {
                                   return IndexAddArgs{a.input(dtype, {c.outer, c.m, c.inner}),
                                                       a.indices({c.m}, c.n),
                                                       a.updated(dtype, {c.outer, c.n, c.inner}),
                                                       c.outer,
                                                       c.n,
                                                       c.m,
                                                       c.inner};
                                 });
      check_kernel<ScatterAddArgs>(describe("scatter_add", dtype, c), cuda::scatter_add,
                                   &Kernels::scatter_add, {}, [&](Arena& a) {
                                     return ScatterAddArgs{
                                         a.input(dtype, {c.outer, c.m, c.inner}),
                                         a.indices({c.outer, c.m, c.inner}, c.n),
                                         a.updated(dtype, {c.outer, c.n, c.inner}),
                                         c.outer,
                                         c.n,
                                         c.m,
                                         c.inner};
                                   });
    }
  }
}

TEST_CASE("an index out of range is skipped and reported") {
  Arena a;
  const Operand x = a.given(DType::f32, {3}, {1, 2, 3}),
                index = a.given(DType::i64, {3}, {2, -1, 3});
  const Operand y = a.output(DType::f32, {3});
  *cuda::index_error() = 0;
  cuda::index_select(IndexSelectArgs{x, index, y, 1, 3, 3, 1});
  CHECK(*cuda::index_error() == 1);
  CHECK(y.as<float>()[0] == 3);
  CHECK(y.as<float>()[1] == 0);
  CHECK(y.as<float>()[2] == 0);

  *cuda::index_error() = 0;
  const Operand z = a.given(DType::f32, {3}, {0, 0, 0});
  cuda::index_add(IndexAddArgs{x, index, z, 1, 3, 3, 1});
  CHECK(*cuda::index_error() == 1);
  CHECK(z.as<float>()[2] == 1);
  CHECK(z.as<float>()[0] == 0);
  *cuda::index_error() = 0;
}

TEST_CASE("sparse products by row") {
  for (DType dtype : kReal) {
    for (std::int64_t inner : {1, 3, 40}) {
      constexpr std::int64_t rows = 11, n = 6;
      const std::vector<double> offsets = row_offsets(rows);
      const auto entries = static_cast<std::int64_t>(offsets.back());
      for (int form = 0; form < 3; ++form) {  // no values, values, values in another order
        check_kernel<CsrMatmulArgs>(
            str("csr_matmul ", dtype, ' ', inner, ' ', form), cuda::csr_matmul,
            &Kernels::csr_matmul, {}, [&](Arena& a) {
              return CsrMatmulArgs{
                  a.given(DType::i64, {rows + 1}, offsets),
                  a.indices({entries}, n),
                  form == 2 ? a.indices({entries}, entries) : Arena::none(DType::i64),
                  form > 0 ? a.input(dtype, {entries}) : Arena::none(dtype),
                  a.input(dtype, {n, inner}),
                  a.output(dtype, {rows, inner}),
                  rows,
                  inner};
            });
      }
      check_kernel<CsrDotArgs>(str("csr_dot ", dtype, ' ', inner), cuda::csr_dot, &Kernels::csr_dot,
                               {}, [&](Arena& a) {
                                 return CsrDotArgs{a.indices({entries}, rows),
                                                   a.indices({entries}, n),
                                                   a.input(dtype, {rows, inner}),
                                                   a.input(dtype, {n, inner}),
                                                   a.output(dtype, {entries}),
                                                   entries,
                                                   inner};
                               });
      check_kernel<SegmentArgmaxArgs>(
          str("segment_argmax ", dtype, ' ', inner), cuda::segment_argmax, &Kernels::segment_argmax,
          kExact, [&](Arena& a) {
            return SegmentArgmaxArgs{a.given(DType::i64, {rows + 1}, offsets),
                                     a.indices({entries}, n),
                                     a.input(dtype, {n, inner}, Layout::dense, {-3, 3, true}),
                                     a.output(DType::i64, {rows, inner}),
                                     rows,
                                     inner};
          });
    }
  }
}
