// Pooling of sequences, with gradients: x [N, C, L] gives [N, C, L']. Composed of the pooling of
// images one row high; layout as in conv1d.h, window arithmetic and errors as in
// tensor/ops/pool2d.h. Floating dtypes.
#pragma once

#include "autograd/variable.h"

namespace athanor {

struct Pool1dOptions {
  std::int64_t kernel = 2;
  std::int64_t stride = 0;  // 0 stands for the kernel's size
  std::int64_t padding = 0;
};

// dx = dy at the place of each window's maximum (the first of equals), 0 elsewhere
Variable max_pool1d(const Variable& x, const Pool1dOptions& options = {});
// dx = dy / kernel, added up over the windows that hold a place
Variable avg_pool1d(const Variable& x, const Pool1dOptions& options = {});
// As in adaptive_pool2d.h; dx = sum over the windows that hold a place of dy / window's length
Variable adaptive_avg_pool1d(const Variable& x, std::int64_t size);
// dx = dy at the place of each window's maximum (the first of equals), 0 elsewhere
Variable adaptive_max_pool1d(const Variable& x, std::int64_t size);

}  // namespace athanor
