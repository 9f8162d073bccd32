#include "data/batches.h"

#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "tensor/base/error.h"
#include "tensor/ops/copy.h"

namespace athanor::data {
namespace {

void check_indices(const char* op, std::span<const std::int64_t> indices, std::int64_t count) {
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= count) {
      fail(op, "expected indices in [0, ", count, "), got ", index);
    }
  }
}

// Row-major copies where needed, so that a row is one piece of memory.
std::vector<Tensor> checked_sources(std::vector<Tensor> sources) {
  if (sources.empty()) fail("batches", "expected at least one source tensor");
  for (Tensor& source : sources) {
    if (source.rank() < 1 || source.size(0) != sources.front().size(0)) {
      fail("batches", "expected sources of rank >= 1 with equal numbers of rows, got ",
           describe(sources.front()), " and ", describe(source));
    }
    source = contiguous(source);
  }
  return sources;
}

}  // namespace

Tensor gather_rows(const Tensor& source, std::span<const std::int64_t> indices) {
  if (source.rank() < 1) fail("gather_rows", "expected rank >= 1, got ", describe(source));
  check_indices("gather_rows", indices, source.size(0));
  const Tensor rows = contiguous(source);
  Shape shape = rows.shape();
  shape[0] = static_cast<std::int64_t>(indices.size());
  Tensor result = empty(shape, rows.dtype());
  if (result.numel() == 0) return result;
  const auto row_bytes =
      static_cast<std::size_t>(result.numel() / shape[0] * size_of(rows.dtype()));
  const auto* from = static_cast<const std::byte*>(rows.raw());
  auto* to = static_cast<std::byte*>(result.raw());
  for (const std::int64_t index : indices) {
    std::memcpy(to, from + static_cast<std::size_t>(index) * row_bytes, row_bytes);
    to += row_bytes;
  }
  return result;
}

struct BatchPrefetcher::Impl {
  struct Job {
    std::vector<std::int64_t> indices;
    Batch batch;
    std::exception_ptr error;
    bool done = false;
  };

  Impl(std::vector<Tensor> from, bool background) : sources(checked_sources(std::move(from))) {
    if (background) worker = std::thread([this] { run(); });
  }

  ~Impl() {
    if (!worker.joinable()) return;
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    worker.join();
  }

  void gather(Job& job) const {
    try {
      const auto count = static_cast<std::int64_t>(job.indices.size());
      job.batch.indices = from_values<std::int64_t>(job.indices, {count});
      for (const Tensor& source : sources) {
        job.batch.tensors.push_back(gather_rows(source, job.indices));
      }
    } catch (...) {
      job.error = std::current_exception();
    }
  }

  // The worker: gathers the oldest job that is not done.
  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      std::shared_ptr<Job> job;
      changed.wait(lock, [&] { return stopping || (job = oldest_open_job()) != nullptr; });
      if (stopping) return;
      lock.unlock();
      gather(*job);
      lock.lock();
      job->done = true;
      changed.notify_all();
    }
  }

  std::shared_ptr<Job> oldest_open_job() const {
    for (const auto& job : jobs) {
      if (!job->done) return job;
    }
    return nullptr;
  }

  const std::vector<Tensor> sources;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Job>> jobs;  // shared: clear() may drop one that is being gathered
  bool stopping = false;
  std::thread worker;
};

BatchPrefetcher::BatchPrefetcher(std::vector<Tensor> sources, bool background)
    : impl_(std::make_unique<Impl>(std::move(sources), background)) {}
BatchPrefetcher::~BatchPrefetcher() = default;
BatchPrefetcher::BatchPrefetcher(BatchPrefetcher&&) noexcept = default;
BatchPrefetcher& BatchPrefetcher::operator=(BatchPrefetcher&&) noexcept = default;

std::int64_t BatchPrefetcher::count() const { return impl_->sources.front().size(0); }

void BatchPrefetcher::submit(std::vector<std::int64_t> indices) {
  check_indices("BatchPrefetcher::submit", indices, count());
  auto job = std::make_shared<Impl::Job>();
  job->indices = std::move(indices);
  {
    std::lock_guard lock(impl_->mutex);
    impl_->jobs.push_back(std::move(job));
  }
  impl_->changed.notify_all();
}

Batch BatchPrefetcher::take() {
  std::unique_lock lock(impl_->mutex);
  if (impl_->jobs.empty()) fail("BatchPrefetcher::take", "expected a submitted batch, got none");
  const std::shared_ptr<Impl::Job> job = impl_->jobs.front();
  if (impl_->worker.joinable()) {
    impl_->changed.wait(lock, [&] { return job->done; });
  } else {
    impl_->gather(*job);
  }
  impl_->jobs.pop_front();
  if (job->error) std::rethrow_exception(job->error);
  return std::move(job->batch);
}

std::int64_t BatchPrefetcher::pending() const {
  std::lock_guard lock(impl_->mutex);
  return static_cast<std::int64_t>(impl_->jobs.size());
}

void BatchPrefetcher::clear() {
  std::lock_guard lock(impl_->mutex);
  impl_->jobs.clear();
}

BatchLoader::BatchLoader(std::vector<Tensor> sources, const BatchOrder::Options& options,
                         int prefetch)
    : prefetcher_(std::move(sources), prefetch > 0),
      order_(prefetcher_.count(), options),
      prefetch_(prefetch) {
  if (prefetch < 0) fail("BatchLoader", "expected prefetch >= 0, got ", prefetch);
}

Batch BatchLoader::next() {
  // One batch to give now, and `prefetch_` to gather while the caller works on it.
  while (prefetcher_.pending() < prefetch_ + 1) {
    pending_states_.push_back(order_.state());
    prefetcher_.submit(order_.next());
  }
  pending_states_.pop_front();
  return prefetcher_.take();
}

BatchOrderState BatchLoader::state() const {
  return pending_states_.empty() ? order_.state() : pending_states_.front();
}

void BatchLoader::restore(const BatchOrderState& state) {
  order_.restore(state);
  prefetcher_.clear();
  pending_states_.clear();
}

}  // namespace athanor::data
