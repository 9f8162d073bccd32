// The entry of a sparse row with the largest value: a thread each (row, k), k fastest.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

template <class T>
__global__ void argmax_elements(std::int64_t rows, std::int64_t inner, std::int64_t n,
                                const std::int64_t* offsets, const std::int64_t* columns,
                                const T* x, std::int64_t* y, std::int32_t* error) {
  using C = compute_t<T>;
  for (std::int64_t i = grid_thread(); i < rows * inner; i += grid_threads()) {
    const std::int64_t row = quotient(i, inner), k = i - row * inner, last = offsets[row + 1];
    std::int64_t best = 0;
    C largest = 0;
    bool found = false;
    for (std::int64_t e = offsets[row]; e < last; ++e) {
      const std::int64_t column = columns[e];
      if (!check_index(column, n, error)) continue;
      const C value = wide(x[column * inner + k]);
      const bool nan_is_new = value != value && largest == largest;
      if (!found || value > largest || nan_is_new) {
        best = column;
        largest = value;
        found = true;
      }
    }
    y[i] = best;
  }
}

}  // namespace

void segment_argmax(const SegmentArgmaxArgs& args) {
  if (args.rows * args.inner == 0) return;
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    launch_kernel(argmax_elements<T>, grid_for(args.rows * args.inner), Dim3{kBlock}, 0,
                  current_stream(), args.rows, args.inner, args.x.numel() / args.inner,
                  args.offsets.as<std::int64_t>(), args.columns.as<std::int64_t>(), args.x.as<T>(),
                  args.y.as<std::int64_t>(), index_error());
  });
}

}  // namespace athanor::cuda
