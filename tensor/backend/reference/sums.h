// Sums in double, shared by the reference kernels of images.
#pragma once

#include <vector>

#include "tensor/backend/reference/reference.h"

namespace athanor::reference {

// A sum in double for each element of `result`, numbered row by row.
struct Sums {
  explicit Sums(const Operand& result)
      : values(static_cast<std::size_t>(result.numel()), 0.0), view(result) {
    std::int64_t step = 1;
    for (int i = result.rank - 1; i >= 0; --i) {
      strides[i] = step;
      step *= result.sizes[i];
    }
    view.strides = strides;
  }

  void write_to(const Operand& result) const {
    visit_real(result.dtype, [&]<class T>(Tag<T>) {
      Index index(result.sizes, result.rank);
      for (double value : values) {
        result.as<T>()[index.offset(result.strides)] =
            static_cast<T>(static_cast<compute_t<T>>(value));
        index.next();
      }
    });
  }

  std::int64_t strides[kMaxRank];
  std::vector<double> values;
  Operand view;  // of `values`: sizes and strides only
};

}  // namespace athanor::reference
