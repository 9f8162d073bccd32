// Tensors as text, in NumPy's style:
//   tensor([[ 1. ,  2.5],
//           [-3. ,  4. ]], f32)
#pragma once

#include <cstdint>
#include <string>

#include "tensor/tensor.h"

namespace athanor {

struct PrintOptions {
  int precision = 8;              // digits after the point, at most
  std::int64_t threshold = 1000;  // a tensor with more elements is summarised with "..."
  std::int64_t edge_items = 3;    // shown at each end of an axis then
  int line_width = 75;            // longer rows are broken
};

// Floating values are written with the fewest digits that tell them apart, up to the precision, and
// aligned at the point; all of them with an exponent when the largest magnitude is at least 1e8,
// the smallest below 1e-4, or their ratio above 1000. A summary and an empty tensor show the shape.
// Throws when precision or edge_items is negative.
std::string to_text(const Tensor& t, const PrintOptions& options);
// With the options of set_print_options(), by default PrintOptions(); so does operator<<.
std::string to_text(const Tensor& t);

// For the whole process; thread-safe.
void set_print_options(const PrintOptions& options);
PrintOptions print_options();

}  // namespace athanor
