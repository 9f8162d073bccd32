#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"

// Threads share the segments; within one, rows are read in order and columns in blocks.
void segment_argmax(const SegmentArgmaxArgs& a) {
  constexpr std::int64_t kGrain = 32768;  // comparisons a thread takes at least
  constexpr std::int64_t kColumns = 256;
  const std::int64_t* offsets = a.offsets.as<std::int64_t>();
  const std::int64_t* columns = a.columns.as<std::int64_t>();
  const std::int64_t inner = a.inner, row_work = offsets[a.rows] * inner / a.rows + inner;
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    parallel_for(a.rows, kGrain / row_work + 1, [&](std::int64_t begin, std::int64_t end) {
      T extreme[kColumns] = {};
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t first = offsets[row], last = offsets[row + 1];
        for (std::int64_t start = 0; start < inner; start += kColumns) {
          const std::int64_t count = inner - start < kColumns ? inner - start : kColumns;
          std::int64_t* y = a.y.as<std::int64_t>() + row * inner + start;
          for (std::int64_t k = 0; k < count; ++k) y[k] = 0;
          for (std::int64_t e = first; e < last; ++e) {
            const T* x = a.x.as<T>() + columns[e] * inner + start;
            for (std::int64_t k = 0; k < count; ++k) {
              const bool nan_is_new = (x[k] != x[k]) & (extreme[k] == extreme[k]);
              const bool better = (e == first) | (x[k] > extreme[k]) | nan_is_new;
              extreme[k] = better ? x[k] : extreme[k];
              y[k] = better ? columns[e] : y[k];
            }
          }
        }
      }
    });
  });
}

#include "tensor/backend/cpu/isa_end.h"
