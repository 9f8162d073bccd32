#include "data/batch_order.h"

#include <algorithm>
#include <numeric>

#include "tensor/base/error.h"
#include "tensor/random.h"

namespace athanor::data {

BatchOrder::BatchOrder(std::int64_t count, const Options& options)
    : count_(count), options_(options), state_{options.seed, 0, 0} {
  if (count < 1) fail("BatchOrder", "expected at least one record, got ", count);
  if (options.batch_size < 1) {
    fail("BatchOrder", "expected batch_size >= 1, got ", options.batch_size);
  }
  if (epoch_length() == 0) {
    fail("BatchOrder", "expected batch_size <= ", count, " records with drop_last, got ",
         options.batch_size);
  }
  permute();
}

std::vector<std::int64_t> BatchOrder::next() {
  const std::int64_t end = std::min(state_.position + options_.batch_size, epoch_length());
  std::vector<std::int64_t> batch(permutation_.begin() + state_.position,
                                  permutation_.begin() + end);
  state_.position = end;
  if (end == epoch_length()) {
    state_.position = 0;
    ++state_.epoch;
    permute();
  }
  return batch;
}

std::int64_t BatchOrder::batches_per_epoch() const {
  return (epoch_length() + options_.batch_size - 1) / options_.batch_size;
}

void BatchOrder::restore(const BatchOrderState& state) {
  if (state.epoch < 0 || state.position < 0 || state.position >= epoch_length() ||
      state.position % options_.batch_size != 0) {
    fail("BatchOrder::restore", "expected epoch >= 0 and a position below ", epoch_length(),
         " that is a multiple of ", options_.batch_size, ", got epoch ", state.epoch, ", position ",
         state.position);
  }
  state_ = state;
  permute();
}

std::int64_t BatchOrder::epoch_length() const {
  return options_.drop_last ? count_ - count_ % options_.batch_size : count_;
}

void BatchOrder::permute() {
  if (options_.shuffle) {
    Generator generator = Generator(state_.seed).fork(static_cast<std::uint64_t>(state_.epoch));
    permutation_ = random_permutation(count_, generator).to_vector<std::int64_t>();
  } else if (permutation_.empty()) {
    permutation_.resize(static_cast<std::size_t>(count_));
    std::iota(permutation_.begin(), permutation_.end(), std::int64_t{0});
  }
}

}  // namespace athanor::data
