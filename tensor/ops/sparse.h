// Sparse matrices times dense ones: messages along the edges of a graph, and their gradients.
//
// Sums run in a fixed order, row by row and without atomics: the same bits at every number of
// threads.
#pragma once

#include "tensor/ops/segment.h"
#include "tensor/tensor.h"

namespace athanor {

// Where the n stored values of a sparse matrix [rows, columns] stand. The values are a tensor [n]
// of their own, so that gradients can reach them. A place may occur more than once: its values add
// up. Built once for a graph; copies share memory.
class SparsePattern {
 public:
  // Value i stands at (row[i], column[i]): the edge list of a graph. row and column [n] i64 in
  // range; any order.
  SparsePattern(const Tensor& row, const Tensor& column, std::int64_t rows, std::int64_t columns);
  // Compressed rows (CSR): row i has the values [offsets[i], offsets[i + 1]). offsets [rows + 1]
  // i64 from 0 to n, not descending; column [n] i64.
  static SparsePattern from_csr(const Tensor& offsets, const Tensor& column, std::int64_t columns);

  std::int64_t rows() const { return by_row_.count(); }
  std::int64_t columns() const { return by_column_.count(); }
  std::int64_t size() const { return by_row_.rows(); }  // n
  const Tensor& row() const { return by_row_.ids(); }
  const Tensor& column() const { return by_column_.ids(); }
  // The values grouped by row, and the column of each of them.
  const Segments& by_row() const { return by_row_; }
  const Tensor& columns_by_row() const { return columns_by_row_; }
  // The pattern of the transposed matrix, with the same values.
  SparsePattern transposed() const;

 private:
  SparsePattern(Segments by_row, Segments by_column, Tensor columns_by_row, Tensor rows_by_column);
  Segments by_row_, by_column_;
  Tensor columns_by_row_, rows_by_column_;
};

// y = A x for A with `values` [n] at the pattern's places; undefined values are ones. x [columns,
// ...] -> y [rows, ...]. Floating, one dtype. Throws when a shape or dtype does not fit.
Tensor sparse_matmul(const SparsePattern& pattern, const Tensor& values, const Tensor& x);
// a b^T at the pattern's places only: y[i] = sum of a[row[i]] b[column[i]]. a [rows, ...], b
// [columns, ...] -> [n]. Floating, one dtype. Throws when a shape or dtype does not fit.
Tensor sparse_dot(const SparsePattern& pattern, const Tensor& a, const Tensor& b);

}  // namespace athanor
