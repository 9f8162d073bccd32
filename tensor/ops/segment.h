// Reductions over groups of rows: the aggregation steps of graph networks.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// Groups the rows of a tensor: row i belongs to segment ids[i]. Rows need not be sorted and
// segments may be empty. Built once for a grouping (the ids are checked and sorted by counting);
// copies share memory.
class Segments {
 public:
  // ids [n] i64 in [0, count).
  Segments(const Tensor& ids, std::int64_t count);

  std::int64_t rows() const { return ids_.numel(); }
  std::int64_t count() const { return offsets_.numel() - 1; }
  const Tensor& ids() const { return ids_; }
  // Segment s has the rows order[offsets[s]] ... order[offsets[s + 1] - 1], ascending. i64 [count +
  // 1] and [n].
  const Tensor& offsets() const { return offsets_; }
  const Tensor& order() const { return order_; }
  // Rows of each segment, [count] i64.
  Tensor sizes() const;

 private:
  Tensor ids_, offsets_, order_;
};

// Sums of the rows of each segment in their order: x [n, ...] -> [count, ...]; 0 for an empty
// segment. Floating dtypes. Throws unless x has the segments' n rows. Each segment is one thread's:
// the same bits at every number of threads.
Tensor segment_sum(const Tensor& x, const Segments& segments);
// For each segment and column the row (i64) of the largest value, the first of equals; NaN wins; 0
// for an empty segment. x [n, ...] -> [count, ...]. Floating dtypes. Errors as segment_sum's.
Tensor segment_argmax(const Tensor& x, const Segments& segments);

}  // namespace athanor
