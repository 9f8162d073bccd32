// Which records make up each batch.
#pragma once

#include <cstdint>
#include <vector>

namespace athanor::data {

// Where a BatchOrder stands: everything that is needed to go on from there.
struct BatchOrderState {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;     // from 0
  std::int64_t position = 0;  // records of this epoch that were handed out

  friend bool operator==(const BatchOrderState&, const BatchOrderState&) = default;
};

// An endless sequence of index batches over records 0 .. count - 1, epoch after epoch. Each epoch
// has its own permutation, which depends on (seed, epoch) and count alone; without `shuffle` the
// order is 0, 1, 2, ... A last batch that is not full is smaller, or left out with `drop_last`.
class BatchOrder {
 public:
  struct Options {
    std::int64_t batch_size = 128;
    std::uint64_t seed = 0;
    bool shuffle = true;
    bool drop_last = false;
  };

  // Throws when there would be no batch: count or batch_size < 1, or drop_last and
  // count < batch_size.
  BatchOrder(std::int64_t count, const Options& options);

  std::vector<std::int64_t> next();
  std::int64_t batches_per_epoch() const;

  // The state before the next batch; position is 0 between two epochs.
  const BatchOrderState& state() const { return state_; }
  // Goes on from `state`, its seed included. Throws when the position is not one of this count and
  // batch size.
  void restore(const BatchOrderState& state);

 private:
  std::int64_t epoch_length() const;  // records handed out in one epoch
  void permute();

  std::int64_t count_;
  Options options_;
  BatchOrderState state_;
  std::vector<std::int64_t> permutation_;  // of the current epoch
};

}  // namespace athanor::data
