#include "data/batches.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <set>
#include <vector>

#include "tensor/base/error.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/shape.h"

using namespace athanor;
using data::Batch;
using data::BatchLoader;
using data::BatchOrder;
using data::BatchOrderState;
using data::BatchPrefetcher;
using Indices = std::vector<std::int64_t>;

namespace {

Indices all_of_epoch(BatchOrder& order) {
  Indices all;
  const std::int64_t epoch = order.state().epoch;
  while (order.state().epoch == epoch) {
    const Indices batch = order.next();
    all.insert(all.end(), batch.begin(), batch.end());
  }
  return all;
}

Indices sorted(Indices values) {
  std::sort(values.begin(), values.end());
  return values;
}

Indices range(std::int64_t n) {
  Indices values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

Indices indices_of(const Batch& batch) { return batch.indices.to_vector<std::int64_t>(); }

// Row i of the features is {2 i, 2 i + 1}, its label is 100 + i.
std::vector<Tensor> sources(std::int64_t n) {
  return {reshape(arange(2 * n, DType::f32), {n, 2}), arange(n, DType::i64, 100)};
}

}  // namespace

TEST_CASE("each epoch hands out every record once, in an order of its own") {
  BatchOrder order(10, {.batch_size = 4, .seed = 7});
  CHECK(order.batches_per_epoch() == 3);
  const Indices first = all_of_epoch(order);
  const Indices second = all_of_epoch(order);
  CHECK(sorted(first) == range(10));
  CHECK(sorted(second) == range(10));
  CHECK(first != second);
  CHECK(first != range(10));

  BatchOrder same(10, {.batch_size = 3, .seed = 7});
  CHECK(all_of_epoch(same) == first);  // the batch size does not change the permutation
  BatchOrder other(10, {.batch_size = 4, .seed = 8});
  CHECK(all_of_epoch(other) != first);
}

TEST_CASE("batch sizes, drop_last and the plain order") {
  BatchOrder keep(10, {.batch_size = 4, .shuffle = false});
  CHECK(keep.next() == Indices{0, 1, 2, 3});
  CHECK(keep.next() == Indices{4, 5, 6, 7});
  CHECK(keep.next() == Indices{8, 9});
  CHECK(keep.state() == BatchOrderState{0, 1, 0});
  CHECK(keep.next() == Indices{0, 1, 2, 3});

  BatchOrder drop(10, {.batch_size = 4, .shuffle = false, .drop_last = true});
  CHECK(drop.batches_per_epoch() == 2);
  drop.next();
  CHECK(drop.next() == Indices{4, 5, 6, 7});
  CHECK(drop.next() == Indices{0, 1, 2, 3});

  CHECK_THROWS_AS(BatchOrder(0, {}), Error);
  CHECK_THROWS_AS(BatchOrder(5, {.batch_size = 0}), Error);
  CHECK_THROWS_AS(BatchOrder(5, {.batch_size = 6, .drop_last = true}), Error);
  CHECK(BatchOrder(5, {.batch_size = 6}).next().size() == 5);
}

TEST_CASE("an order goes on from every saved state") {
  const BatchOrder::Options options{.batch_size = 4, .seed = 3};
  BatchOrder order(10, options);
  for (int step = 0; step < 7; ++step) {
    BatchOrder resumed(10, {.batch_size = 4, .seed = 99});
    resumed.restore(order.state());
    BatchOrder reference = order;
    for (int i = 0; i < 5; ++i) CHECK(resumed.next() == reference.next());
    order.next();
  }
  CHECK_THROWS_AS(order.restore({3, 0, 2}), Error);
  CHECK_THROWS_AS(order.restore({3, 0, 12}), Error);
  CHECK_THROWS_AS(order.restore({3, -1, 0}), Error);
}

TEST_CASE("gather_rows copies the named rows of any dtype and strides") {
  const Tensor x = from_values<float>({0, 1, 2, 3, 4, 5}, {2, 3});
  const Tensor y = data::gather_rows(transpose(x), Indices{2, 0, 2});
  CHECK(y.shape() == Shape{3, 2});
  CHECK(y.to_vector<float>() == std::vector<float>{2, 5, 0, 3, 2, 5});
  CHECK(data::gather_rows(arange(5, DType::i64), Indices{4, 1}).to_vector<std::int64_t>() ==
        Indices{4, 1});
  CHECK(data::gather_rows(x, Indices{}).shape() == Shape{0, 3});
  CHECK_THROWS_AS(data::gather_rows(x, Indices{2}), Error);
  CHECK_THROWS_AS(data::gather_rows(x, Indices{-1}), Error);
  CHECK_THROWS_AS(data::gather_rows(scalar(1), Indices{0}), Error);
}

TEST_CASE("a loader gives the same batches whatever it prefetches, and resumes between them") {
  const BatchOrder::Options options{.batch_size = 4, .seed = 5};
  BatchOrder order(10, options);
  BatchLoader plain(sources(10), options, 0);
  BatchLoader ahead(sources(10), options, 3);
  for (int step = 0; step < 8; ++step) {
    CHECK(ahead.state() == order.state());
    CHECK(plain.state() == order.state());
    if (step == 4) {
      // Another loader takes over from the state, and this one forgets what it had fetched.
      const BatchOrderState state = ahead.state();
      ahead.next();
      ahead.restore(state);
    }
    const Indices expected = order.next();
    const Batch a = plain.next();
    const Batch b = ahead.next();
    CHECK(indices_of(a) == expected);
    CHECK(indices_of(b) == expected);
    CHECK(a.tensors[0].to_vector<float>() == b.tensors[0].to_vector<float>());
    REQUIRE(b.tensors.size() == 2);
    CHECK(b.tensors[0].shape() == Shape{static_cast<std::int64_t>(expected.size()), 2});
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(b.tensors[0].to_vector<float>()[2 * i] == static_cast<float>(2 * expected[i]));
      CHECK(b.tensors[1].to_vector<std::int64_t>()[i] == 100 + expected[i]);
    }
  }
}

TEST_CASE("a prefetcher gives submitted batches in order and can be dropped with work pending") {
  for (const bool background : {true, false}) {
    BatchPrefetcher prefetcher(sources(6), background);
    CHECK_THROWS_AS(prefetcher.take(), Error);
    CHECK_THROWS_AS(prefetcher.submit({0, 6}), Error);
    prefetcher.submit({5, 5});
    prefetcher.submit({});
    prefetcher.submit({1});
    CHECK(prefetcher.pending() == 3);
    CHECK(indices_of(prefetcher.take()) == Indices{5, 5});
    CHECK(prefetcher.take().tensors[0].shape() == Shape{0, 2});
    prefetcher.clear();
    CHECK(prefetcher.pending() == 0);
    prefetcher.submit({2});
    CHECK(prefetcher.take().tensors[1].to_vector<std::int64_t>() == Indices{102});
    for (int i = 0; i < 50; ++i) prefetcher.submit(range(6));
  }
  CHECK_THROWS_AS(BatchPrefetcher({}), Error);
  CHECK_THROWS_AS(BatchPrefetcher({ones({2}), ones({3})}), Error);
}
