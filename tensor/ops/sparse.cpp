#include "tensor/ops/sparse.h"

#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"
#include "tensor/ops/gather.h"
#include "tensor/ops/operand.h"

namespace athanor {
namespace {

void check_rows(const char* op, const char* argument, const Tensor& t, std::int64_t rows) {
  check_dtype(op, argument, t, kRealDTypes, "a floating dtype");
  if (t.rank() < 1 || t.size(0) != rows) {
    fail(op, "expected ", argument, " [", rows, ", ...], got ", describe(t));
  }
}

// The row of each value of compressed rows.
Tensor rows_of_offsets(const Tensor& offsets, std::int64_t n) {
  check_dtype("sparse", "offsets", offsets, {DType::i64}, "dtype i64");
  if (offsets.rank() != 1 || offsets.numel() < 1) {
    fail("sparse", "expected offsets [rows + 1], got ", describe(offsets));
  }
  const std::vector<std::int64_t> at = offsets.to_vector<std::int64_t>();
  const std::int64_t rows = offsets.numel() - 1;
  bool ascending = at[0] == 0 && at.back() == n;
  for (std::size_t i = 0; i + 1 < at.size(); ++i) ascending = ascending && at[i] <= at[i + 1];
  if (!ascending) {
    fail("sparse", "expected offsets from 0 to ", n, " that do not descend, got ",
         describe(offsets), " from ", at[0], " to ", at.back());
  }
  Tensor row = empty({n}, DType::i64);
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto i = static_cast<std::size_t>(r);
    std::fill(row.data<std::int64_t>() + at[i], row.data<std::int64_t>() + at[i + 1], r);
  }
  return to(row, offsets.device());
}

}  // namespace

SparsePattern::SparsePattern(const Tensor& row, const Tensor& column, std::int64_t rows,
                             std::int64_t columns)
    : by_row_(row, rows), by_column_(column, columns) {
  if (by_row_.rows() != by_column_.rows()) {
    fail("sparse", "expected as many rows as columns, got ", describe(row), " and ",
         describe(column));
  }
  columns_by_row_ = index_select(this->column(), 0, by_row_.order());
  rows_by_column_ = index_select(this->row(), 0, by_column_.order());
}

SparsePattern::SparsePattern(Segments by_row, Segments by_column, Tensor columns_by_row,
                             Tensor rows_by_column)
    : by_row_(std::move(by_row)),
      by_column_(std::move(by_column)),
      columns_by_row_(std::move(columns_by_row)),
      rows_by_column_(std::move(rows_by_column)) {}

SparsePattern SparsePattern::from_csr(const Tensor& offsets, const Tensor& column,
                                      std::int64_t columns) {
  check_defined("sparse", "column", column);
  const Tensor row = rows_of_offsets(offsets, column.numel());
  return SparsePattern(row, column, offsets.numel() - 1, columns);
}

SparsePattern SparsePattern::transposed() const {
  return SparsePattern(by_column_, by_row_, rows_by_column_, columns_by_row_);
}

Tensor sparse_matmul(const SparsePattern& pattern, const Tensor& values, const Tensor& x) {
  check_rows("sparse_matmul", "x", x, pattern.columns());
  check_same_device("sparse_matmul", x, pattern.row());
  if (values.defined()) {
    check_dtype("sparse_matmul", "values", values, {x.dtype()}, "x's dtype");
    check_same_device("sparse_matmul", x, values);
    if (!(values.shape() == Shape{pattern.size()})) {
      fail("sparse_matmul", "expected values [", pattern.size(), "], got ", describe(values));
    }
  }
  Shape shape = x.shape();
  shape[0] = pattern.rows();
  const Tensor y = zeros(shape, x.dtype(), x.device());
  if (pattern.size() == 0 || y.numel() == 0) return y;
  const Tensor from = contiguous(x), weights = values.defined() ? contiguous(values) : values;
  launch("sparse_matmul", &Kernels::csr_matmul, x.dtype(), x.device(),
         CsrMatmulArgs{operand(pattern.by_row().offsets()), operand(pattern.columns_by_row()),
                       operand(pattern.by_row().order()),
                       weights.defined() ? operand(weights) : Operand{}, operand(from), operand(y),
                       pattern.rows(), x.numel() / x.size(0)});
  return y;
}

Tensor sparse_dot(const SparsePattern& pattern, const Tensor& a, const Tensor& b) {
  check_rows("sparse_dot", "a", a, pattern.rows());
  check_rows("sparse_dot", "b", b, pattern.columns());
  check_same_device("sparse_dot", a, b);
  check_same_device("sparse_dot", a, pattern.row());
  Shape expected = a.shape();
  expected[0] = b.size(0);
  if (!(b.shape() == expected) || a.dtype() != b.dtype()) {
    fail("sparse_dot", "expected a and b of one dtype and equal but for the rows, got ",
         describe(a), " and ", describe(b));
  }
  const Tensor y = zeros({pattern.size()}, a.dtype(), a.device());
  if (y.numel() == 0 || a.numel() == 0) return y;
  const Tensor left = contiguous(a), right = contiguous(b);
  launch("sparse_dot", &Kernels::csr_dot, a.dtype(), a.device(),
         CsrDotArgs{operand(pattern.row()), operand(pattern.column()), operand(left),
                    operand(right), operand(y), pattern.size(), a.numel() / a.size(0)});
  return y;
}

}  // namespace athanor
