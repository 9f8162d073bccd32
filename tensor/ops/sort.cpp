#include "tensor/ops/sort.h"

#include <vector>

#include "tensor/host.h"
#include "tensor/ops/binary.h"
#include "tensor/ops/device.h"
#include "tensor/ops/gather.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

constexpr DTypeSet kSortable{DType::f32, DType::f64, DType::f16, DType::bf16,
                             DType::i8,  DType::u8,  DType::i32, DType::i64};

Sorted run(const char* name, const Tensor& x, int axis, bool descending) {
  check_dtype(name, "x", x, kSortable, "a number dtype");
  axis = normalize_axis(name, axis, x.shape());
  Sorted sorted{empty_like(x), empty_like(x, DType::i64)};
  if (x.numel() == 0) return sorted;
  const Tensor from = transpose(x, axis, -1), values = transpose(sorted.values, axis, -1),
               index = transpose(sorted.index, axis, -1);
  launch(name, &Kernels::sort, x.dtype(), x.device(),
         SortArgs{descending, operand(from), operand(values), operand(index)});
  return sorted;
}

Tensor arg_reduce(const char* name, const Tensor& x, int axis, bool keepdim, bool largest) {
  check_dtype(name, "x", x, kSortable, "a number dtype");
  axis = normalize_axis(name, axis, x.shape());
  if (x.shape()[axis] == 0) {
    fail(name, "expected at least one element along axis ", axis, ", got ", describe(x));
  }
  Shape kept = x.shape();
  kept[axis] = 1;
  const Tensor y = empty(kept, DType::i64, x.device());
  if (y.numel() > 0) {
    const Tensor from = transpose(x, axis, -1), to = transpose(y, axis, -1);
    launch(name, &Kernels::arg_reduce, x.dtype(), x.device(),
           ArgReduceArgs{largest, operand(from), operand(to)});
  }
  return keepdim ? y : squeeze(y, axis);
}

}  // namespace

Sorted sort(const Tensor& x, int axis, bool descending) { return run("sort", x, axis, descending); }

Tensor argsort(const Tensor& x, int axis, bool descending) {
  return run("argsort", x, axis, descending).index;
}

Sorted topk(const Tensor& x, std::int64_t k, int axis, bool largest) {
  const Sorted all = run("topk", x, axis, largest);
  if (k < 0 || k > x.size(axis)) {
    fail("topk", "expected k in [0, ", x.size(axis), "], got ", k);
  }
  return {slice(all.values, axis, 0, k), slice(all.index, axis, 0, k)};
}

Unique unique(const Tensor& x) {
  check_defined("unique", "x", x);
  // Where values change is found on the CPU.
  const Sorted found = run("unique", reshape(x, {x.numel()}), 0, false);
  const Sorted sorted{to_host(found.values), to_host(found.index)};
  const std::int64_t n = x.numel();
  Unique result;
  result.index = empty(x.shape(), DType::i64);
  const std::int64_t* from = sorted.index.data<std::int64_t>();
  std::int64_t* index = result.index.data<std::int64_t>();
  std::vector<std::int64_t> first;  // where each value begins in the sorted order
  visit(x.dtype(), [&]<class T>(Tag<T>) {
    const T* values = sorted.values.data<T>();
    for (std::int64_t i = 0; i < n; ++i) {
      const auto value = static_cast<compute_t<T>>(values[i]);
      const auto before = static_cast<compute_t<T>>(values[i > 0 ? i - 1 : 0]);
      const bool both_nan = value != value && before != before;
      if (i == 0 || (value != before && !both_nan)) first.push_back(i);
      index[from[i]] = static_cast<std::int64_t>(first.size()) - 1;
    }
  });
  const std::int64_t m = static_cast<std::int64_t>(first.size());
  const Tensor starts = from_values(first, {m});
  result.values = index_select(sorted.values, 0, starts);
  first.push_back(n);
  const Tensor bounds = from_values(first, {m + 1});
  result.counts = sub(slice(bounds, 0, 1, m + 1), starts);
  return {to(result.values, x.device()), to(result.index, x.device()),
          to(result.counts, x.device())};
}

Tensor argmax(const Tensor& x, int axis, bool keepdim) {
  return arg_reduce("argmax", x, axis, keepdim, true);
}

Tensor argmin(const Tensor& x, int axis, bool keepdim) {
  return arg_reduce("argmin", x, axis, keepdim, false);
}

}  // namespace athanor
