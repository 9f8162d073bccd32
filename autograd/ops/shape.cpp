#include "autograd/ops/shape.h"

#include "autograd/node.h"
#include "autograd/ops/cat.h"
#include "autograd/ops/gather.h"
#include "autograd/ops/reduce.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"

namespace athanor {
namespace {

Variable record_reshape(const char* op, const Variable& x, Tensor y) {
  const Shape before = x.shape();
  return record(op, std::move(y), {x},
                [before](const Variable& dy, Gradients& d) { d.set(0, reshape(dy, before)); });
}

}  // namespace

Variable reshape(const Variable& x, Shape shape) {
  return record_reshape("reshape", x, reshape(x.tensor(), shape));
}
Variable flatten(const Variable& x) { return record_reshape("flatten", x, flatten(x.tensor())); }
Variable unsqueeze(const Variable& x, int axis) {
  return record_reshape("unsqueeze", x, unsqueeze(x.tensor(), axis));
}
Variable squeeze(const Variable& x, int axis) {
  return record_reshape("squeeze", x, squeeze(x.tensor(), axis));
}

Variable permute(const Variable& x, std::span<const int> axes) {
  Tensor y = permute(x.tensor(), axes);
  std::vector<int> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    inverse[static_cast<std::size_t>(normalize_axis("permute", axes[i], x.shape()))] =
        static_cast<int>(i);
  }
  return record("permute", std::move(y), {x}, [inverse](const Variable& dy, Gradients& d) {
    d.set(0, permute(dy, std::span<const int>(inverse)));
  });
}

Variable permute(const Variable& x, std::initializer_list<int> axes) {
  return permute(x, std::span<const int>(axes.begin(), axes.size()));
}

Variable transpose(const Variable& x, int axis0, int axis1) {
  return record(
      "transpose", transpose(x.tensor(), axis0, axis1), {x},
      [axis0, axis1](const Variable& dy, Gradients& d) { d.set(0, transpose(dy, axis0, axis1)); });
}

Variable slice(const Variable& x, int axis, std::int64_t start, std::int64_t stop,
               std::int64_t step) {
  Tensor y = slice(x.tensor(), axis, start, stop, step);
  axis = normalize_axis("slice", axis, x.shape());
  const std::int64_t n = x.shape()[axis];
  const std::int64_t first = std::clamp<std::int64_t>(start < 0 ? start + n : start, 0, n);
  return record("slice", std::move(y), {x},
                [axis, n, first, step](const Variable& dy, Gradients& d) {
                  d.set(0, unslice(dy, axis, n, first, step));
                });
}

Variable select(const Variable& x, int axis, std::int64_t index) {
  Tensor y = select(x.tensor(), axis, index);
  axis = normalize_axis("select", axis, x.shape());
  const std::int64_t n = x.shape()[axis];
  const std::int64_t at = index < 0 ? index + n : index;
  return record("select", std::move(y), {x}, [axis, n, at](const Variable& dy, Gradients& d) {
    d.set(0, unslice(unsqueeze(dy, axis), axis, n, at, 1));
  });
}

Variable unslice(const Variable& x, int axis, std::int64_t n, std::int64_t start,
                 std::int64_t step) {
  axis = normalize_axis("unslice", axis, x.shape());
  const std::int64_t count = x.shape()[axis];
  if (start < 0 || step < 1 || (count > 0 && start + (count - 1) * step >= n)) {
    fail("unslice", "expected ", count, " positions from ", start, " by ", step, " within ", n);
  }
  Shape wide = x.shape();
  wide[axis] = n;
  Tensor y = zeros(wide, x.dtype(), x.device());
  const std::int64_t stop = count > 0 ? start + (count - 1) * step + 1 : start;
  Tensor place = slice(y, axis, start, stop, step);
  copy_(place, x.tensor());
  return record("unslice", y, {x}, [axis, start, stop, step](const Variable& dy, Gradients& d) {
    d.set(0, slice(dy, axis, start, stop, step));
  });
}

namespace {

// The tensor of which `parts` are the neighbouring pieces along `axis`, or an undefined one.
Tensor joined(std::span<const Variable> parts, int axis) {
  const Tensor& first = parts[0].tensor();
  const auto along = static_cast<std::size_t>(axis);
  Shape shape = first.shape();
  std::int64_t size = 0;
  for (const Variable& part : parts) {
    const Tensor& t = part.tensor();
    const bool next = t.storage() == first.storage() && t.dtype() == first.dtype() &&
                      t.strides() == first.strides() &&
                      t.offset() == first.offset() + size * first.strides()[along];
    if (!next) return {};
    size += t.size(axis);
  }
  shape[along] = size;
  return {first.storage(), shape, first.strides(), first.offset(), first.dtype()};
}

}  // namespace

std::vector<Variable> split(const Variable& x, const std::vector<std::int64_t>& sizes, int axis) {
  axis = normalize_axis("split", axis, x.shape());
  std::vector<Tensor> parts = split(x.tensor(), sizes, axis);
  std::vector<Shape> shapes;
  for (const Tensor& part : parts) shapes.push_back(part.shape());
  const std::reference_wrapper<const Variable> input(x);
  return record_many("split", std::move(parts), {&input, 1},
                     [shapes, axis, dtype = x.dtype(), device = x.device()](
                         std::span<const Variable> dys, Gradients& d) {
                       std::vector<Variable> all(dys.begin(), dys.end());
                       for (std::size_t i = 0; i < all.size(); ++i) {
                         if (!all[i].defined()) all[i] = Variable(zeros(shapes[i], dtype, device));
                       }
                       if (!grad_enabled()) {
                         Tensor whole = joined(all, axis);
                         if (whole.defined()) return d.set(0, Variable(std::move(whole)));
                       }
                       d.set(0, cat(all, axis));
                     });
}

std::vector<Variable> chunk(const Variable& x, std::int64_t count, int axis) {
  axis = normalize_axis("chunk", axis, x.shape());
  return split(x, chunk_sizes(x.shape()[axis], count), axis);
}

Variable expand(const Variable& x, const Shape& shape) {
  const Shape before = x.shape();
  return record("expand", expand(x.tensor(), shape), {x},
                [before](const Variable& dy, Gradients& d) { d.set(0, sum_to(dy, before)); });
}

Variable as_strided(const Variable& x, const Shape& shape, const Strides& strides,
                    std::int64_t offset) {
  const Shape before = x.shape();
  return record("as_strided", as_strided(x.tensor(), shape, strides, offset), {x},
                [before, shape, strides, offset](const Variable& dy, Gradients& d) {
                  const std::int64_t n = numel_of(before), m = numel_of(shape);
                  const Tensor places =
                      as_strided(arange(n, DType::i64, 0, 1, dy.device()), shape, strides, offset);
                  const Variable flat = index_add(reshape(dy, {m}), 0, reshape(places, {m}), n);
                  d.set(0, reshape(flat, before));
                });
}

}  // namespace athanor
