#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"

namespace {

constexpr std::int64_t kSparseGrain = 32768;  // products a thread takes at least

}  // namespace

// Each row belongs to one thread, which adds its entries in order: no atomics, and the same bits at
// every number of threads.
void csr_matmul(const CsrMatmulArgs& a) {
  const std::int64_t* offsets = a.offsets.as<std::int64_t>();
  const std::int64_t* columns = a.columns.as<std::int64_t>();
  const std::int64_t* order = a.order.as<std::int64_t>();
  const std::int64_t inner = a.inner, row_work = offsets[a.rows] * inner / a.rows + inner;
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    const T *values = a.values.as<T>(), *x = a.x.as<T>();
    parallel_for(a.rows, kSparseGrain / row_work + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        T* y = a.y.as<T>() + row * inner;
        for (std::int64_t k = 0; k < inner; ++k) y[k] = T(0);
        for (std::int64_t e = offsets[row]; e < offsets[row + 1]; ++e) {
          const T* from = x + columns[e] * inner;
          if (values) {
            const T value = values[order ? order[e] : e];
            ATHANOR_INDEPENDENT
            for (std::int64_t k = 0; k < inner; ++k) y[k] += value * from[k];
          } else {
            ATHANOR_INDEPENDENT
            for (std::int64_t k = 0; k < inner; ++k) y[k] += from[k];
          }
        }
      }
    });
  });
}

void csr_dot(const CsrDotArgs& args) {
  const std::int64_t inner = args.inner;
  visit_float(args.a.dtype, [&]<class T>(Tag<T>) {
    parallel_for(args.n, kSparseGrain / (inner + 1) + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t e = begin; e < end; ++e) {
        const T* a = args.a.as<T>() + args.rows.as<std::int64_t>()[e] * inner;
        const T* b = args.b.as<T>() + args.columns.as<std::int64_t>()[e] * inner;
        // Independent sums, so that additions overlap; their number is fixed, and so are the bits.
        constexpr std::int64_t kLanes = 16;
        T lanes[kLanes] = {};
        std::int64_t k = 0;
        for (; k + kLanes <= inner; k += kLanes) {
          for (std::int64_t lane = 0; lane < kLanes; ++lane)
            lanes[lane] += a[k + lane] * b[k + lane];
        }
        T total = 0;
        for (; k < inner; ++k) total += a[k] * b[k];
        for (std::int64_t lane = 0; lane < kLanes; ++lane) total += lanes[lane];
        args.y.as<T>()[e] = total;
      }
    });
  });
}

#include "tensor/backend/cpu/isa_end.h"
