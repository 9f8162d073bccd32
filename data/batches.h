// Batches of tensors, gathered ahead of use by a thread of their own.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "data/batch_order.h"
#include "tensor/tensor.h"

namespace athanor::data {

// The rows (entries of axis 0) of `source` named by `indices`, in that order, repeats allowed:
// [N, ...] -> [indices.size(), ...], row-major, any dtype. Throws for an index outside of [0, N).
Tensor gather_rows(const Tensor& source, std::span<const std::int64_t> indices);

struct Batch {
  Tensor indices;               // i64 [B]: which records these are
  std::vector<Tensor> tensors;  // the rows of each source, [B, ...]
};

// Index-driven batches, for samplers that choose records themselves: submit() says which records
// the next batches consist of, take() gives the batches in the order of submission. A thread
// gathers submitted batches meanwhile; with `background` = false take() gathers, and no thread is
// made.
//
// The sources must not be written to while a batch is being gathered. submit() and take() are for
// one thread.
class BatchPrefetcher {
 public:
  // All sources have rank >= 1 and the same size of axis 0.
  explicit BatchPrefetcher(std::vector<Tensor> sources, bool background = true);
  ~BatchPrefetcher();
  BatchPrefetcher(BatchPrefetcher&&) noexcept;
  BatchPrefetcher& operator=(BatchPrefetcher&&) noexcept;

  // Number of records: the size of axis 0.
  std::int64_t count() const;
  // Throws at once for an index outside of [0, count()).
  void submit(std::vector<std::int64_t> indices);
  // Waits for the oldest batch not yet taken. Throws what gathering it threw, or when none is
  // pending.
  Batch take();
  // Batches submitted and not taken.
  std::int64_t pending() const;
  // Forgets what was submitted and not taken.
  void clear();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The batches of a BatchOrder, endlessly, `prefetch` of them gathered ahead (0: none, no thread).
// The batches do not depend on `prefetch`.
class BatchLoader {
 public:
  BatchLoader(std::vector<Tensor> sources, const BatchOrder::Options& options, int prefetch = 2);

  Batch next();
  std::int64_t batches_per_epoch() const { return order_.batches_per_epoch(); }
  // The state before the batch that next() will give: save it to go on from here later. After the
  // last batch of an epoch, epoch has grown and position is 0.
  BatchOrderState state() const;
  void restore(const BatchOrderState& state);

 private:
  BatchPrefetcher prefetcher_;
  BatchOrder order_;  // runs ahead of what next() has given
  int prefetch_;
  std::deque<BatchOrderState> pending_states_;  // before each submitted batch
};

}  // namespace athanor::data
