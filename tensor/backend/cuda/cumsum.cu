// Running sums by row: short rows a thread each, long ones a block each, in tiles.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

constexpr int kItems = 4;  // neighbours that one thread adds up
constexpr std::int64_t kShort = 32;

template <class T>
__device__ inline long_sum_t<T> load_long(T value) {
  return static_cast<long_sum_t<T>>(wide(value));
}
template <class T>
__device__ inline T store_long(long_sum_t<T> value) {
  return narrow<T>(static_cast<compute_t<T>>(value));
}

template <class T>
__global__ void thread_rows(DeviceRows<2> rows, std::int64_t n, bool reverse, const T* x,
                            std::int64_t xs, T* y, std::int64_t ys) {
  for (std::int64_t row = grid_thread(); row < rows.count; row += grid_threads()) {
    std::int64_t at[2];
    rows.offsets(row, at);
    long_sum_t<T> total = 0;
    for (std::int64_t step = 0; step < n; ++step) {
      const std::int64_t i = reverse ? n - 1 - step : step;
      total += load_long(x[at[0] + i * xs]);
      y[at[1] + i * ys] = store_long<T>(total);
    }
  }
}

// The sum of the threads' values before this one; `total` is the sum of all.
template <class A>
__device__ inline A exclusive_scan(A value, A& total) {
  __shared__ uint2 words[kWarp];
  A* warp_sums = reinterpret_cast<A*>(words);
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  A sum = value;
  for (int offset = 1; offset < kWarp; offset *= 2) {
    const A before = __shfl_up_sync(kAllLanes, sum, static_cast<unsigned>(offset));
    if (lane >= offset) sum += before;
  }
  __syncthreads();  // the sums of the last tile may still be read
  if (lane == kWarp - 1) warp_sums[warp] = sum;
  __syncthreads();
  A earlier = 0;
  total = 0;
  for (int i = 0; i < static_cast<int>(blockDim.x) / kWarp; ++i) {
    if (i < warp) earlier += warp_sums[i];
    total += warp_sums[i];
  }
  return earlier + sum - value;
}

template <class T>
__global__ void block_rows(DeviceRows<2> rows, std::int64_t n, bool reverse, const T* x,
                           std::int64_t xs, T* y, std::int64_t ys) {
  using A = long_sum_t<T>;
  for (std::int64_t row = blockIdx.x; row < rows.count; row += gridDim.x) {
    std::int64_t at[2];
    rows.offsets(row, at);
    A carried = 0;
    for (std::int64_t tile = 0; tile < n; tile += kBlock * kItems) {
      const std::int64_t first = tile + static_cast<std::int64_t>(threadIdx.x) * kItems;
      A values[kItems], sum = 0;
      for (int k = 0; k < kItems; ++k) {
        const std::int64_t step = first + k, i = reverse ? n - 1 - step : step;
        values[k] = step < n ? load_long(x[at[0] + i * xs]) : A(0);
        sum += values[k];
      }
      A total;
      A running = carried + exclusive_scan(sum, total);
      for (int k = 0; k < kItems; ++k) {
        const std::int64_t step = first + k, i = reverse ? n - 1 - step : step;
        running += values[k];
        if (step < n) y[at[1] + i * ys] = store_long<T>(running);
      }
      carried += total;
    }
  }
}

}  // namespace

void cumsum(const CumsumArgs& args) {
  const DeviceRows<2> rows = device_rows<2>({&args.x, &args.y});
  const std::int64_t n = row_size(args.x);
  if (rows.count == 0 || n == 0) return;
  const bool by_thread = n <= kShort || (rows_interleave(args.x) && rows.count >= 4096);
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    const auto kernel = by_thread ? thread_rows<T> : block_rows<T>;
    launch_kernel(kernel, by_thread ? grid_for(rows.count) : grid_for(rows.count, 1), Dim3{kBlock},
                  0, current_stream(), rows, n, args.reverse, args.x.as<const T>(),
                  row_stride(args.x), args.y.as<T>(), row_stride(args.y));
  });
}

}  // namespace athanor::cuda
