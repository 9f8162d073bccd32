// A batched row-major product as the column-major calls that cuBLASLt takes; free of CUDA, so that
// it is tested without a device.
//
// Row-major z [M, N] is column-major [N, M], so z = x y becomes zT = yT xT: y is the left factor of
// the call and x the right one, each read as it lies in memory or transposed.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/backend/args.h"

namespace athanor::cuda {

struct GemmFactor {
  bool transposed = false;        // of the column-major matrix in memory
  std::int64_t leading = 1;       // stride between its columns, in elements
  std::int64_t batch_stride = 0;  // 0: every product reads the same matrix

  friend bool operator==(const GemmFactor&, const GemmFactor&) = default;
};

struct GemmPlan {
  std::int64_t m = 0, n = 0, k = 0;  // rows and columns of z, inner size
  std::int64_t batch = 1;
  GemmFactor x, y;
  std::int64_t z_batch_stride = 0;

  // One call each, at these element offsets: more than one only when the leading axes of the three
  // operands do not merge into one batch.
  struct Offsets {
    std::int64_t x, y, z;
  };
  std::vector<Offsets> calls;
};

// A batch whose products share y becomes one product with more rows.
GemmPlan plan_gemm(const MatmulArgs& args);

}  // namespace athanor::cuda
