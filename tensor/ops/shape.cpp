#include "tensor/ops/shape.h"

#include "tensor/base/sizes.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/operand.h"

namespace athanor {
namespace {

Tensor view(const Tensor& x, const Shape& shape, const Strides& strides, std::int64_t offset) {
  return Tensor(x.storage(), shape, strides, offset, x.dtype());
}

// Replaces one -1 by what the other sizes leave; throws when they do not fit.
Shape resolve_shape(const Tensor& x, Shape shape) {
  int free_axis = -1;
  std::int64_t known = 1;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      if (free_axis >= 0) fail("reshape", "expected at most one -1, got ", shape);
      free_axis = i;
    } else if (shape[i] < 0) {
      fail("reshape", "expected sizes >= 0 or -1, got ", shape);
    } else {
      check_sizes("reshape", {known, shape[i]});
      known *= shape[i];
    }
  }
  if (free_axis >= 0) {
    if (known == 0 || x.numel() % known != 0) {
      fail("reshape", "expected sizes that divide ", x.numel(), " elements, got ", shape,
           " (input ", describe(x), ")");
    }
    shape[free_axis] = x.numel() / known;
  }
  if (numel_of(shape) != x.numel()) {
    fail("reshape", "expected ", x.numel(), " elements, got shape ", shape, " with ",
         numel_of(shape), " (input ", describe(x), ")");
  }
  return shape;
}

// Strides of a view of x under `shape`, if memory order allows one.
bool view_strides(const Tensor& x, const Shape& shape, Strides& strides) {
  strides = contiguous_strides(shape);
  if (x.is_contiguous() || x.numel() == 0) return true;
  // Walk both shapes from the right; groups of axes must cover the same number of elements and be
  // contiguous within the group.
  int i = x.rank() - 1, j = shape.size() - 1;
  while (j >= 0) {
    while (i >= 0 && x.shape()[i] == 1) --i;
    if (shape[j] == 1) {
      strides[j--] = 1;
      continue;
    }
    if (i < 0) return false;
    std::int64_t step = x.strides()[i], source = x.shape()[i], target = 1;
    while (j >= 0 && target < source) {
      if (source % (target * shape[j]) != 0) {
        // The group must take in another axis of x that continues in memory.
        do {
          --i;
        } while (i >= 0 && x.shape()[i] == 1);
        if (i < 0 || x.strides()[i] != step * source) return false;
        source *= x.shape()[i];
        continue;
      }
      strides[j] = step * target;
      target *= shape[j--];
    }
    if (target != source) return false;
    --i;
  }
  return true;
}

}  // namespace

Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const int rank = std::max(a.size(), b.size());
  Shape shape = Dims::filled(rank, 1);
  for (int i = 0; i < rank; ++i) {
    const int ia = a.size() - 1 - i, ib = b.size() - 1 - i;
    const std::int64_t sa = ia >= 0 ? a[ia] : 1, sb = ib >= 0 ? b[ib] : 1;
    if (sa != sb && sa != 1 && sb != 1) {
      fail(op, "expected shapes that broadcast, got ", a, " and ", b);
    }
    shape[rank - 1 - i] = sa == 1 ? sb : sa;
  }
  return shape;
}

Tensor reshape(const Tensor& x, Shape shape) {
  check_defined("reshape", "x", x);
  shape = resolve_shape(x, shape);
  Strides strides;
  if (view_strides(x, shape, strides)) return view(x, shape, strides, x.offset());
  const Tensor copy = contiguous(x);
  return view(copy, shape, contiguous_strides(shape), copy.offset());
}

Tensor flatten(const Tensor& x) {
  check_defined("flatten", "x", x);
  if (x.rank() == 0) return reshape(x, {1, 1});
  std::int64_t rest = 1;
  for (int i = 1; i < x.rank(); ++i) rest *= x.shape()[i];
  return reshape(x, {x.shape()[0], rest});
}

Tensor permute(const Tensor& x, std::span<const int> axes) {
  check_defined("permute", "x", x);
  if (static_cast<int>(axes.size()) != x.rank()) {
    fail("permute", "expected ", x.rank(), " axes, got ", axes.size(), " (input ", describe(x),
         ")");
  }
  Shape shape = x.shape();
  Strides strides = x.strides();
  bool used[kMaxRank] = {};
  for (int i = 0; i < x.rank(); ++i) {
    const int axis = normalize_axis("permute", axes[i], x.shape());
    if (used[axis]) fail("permute", "expected each axis once, got axis ", axis, " twice");
    used[axis] = true;
    shape[i] = x.shape()[axis];
    strides[i] = x.strides()[axis];
  }
  return view(x, shape, strides, x.offset());
}

Tensor permute(const Tensor& x, std::initializer_list<int> axes) {
  return permute(x, std::span<const int>(axes.begin(), axes.size()));
}

Tensor transpose(const Tensor& x, int axis0, int axis1) {
  check_defined("transpose", "x", x);
  axis0 = normalize_axis("transpose", axis0, x.shape());
  axis1 = normalize_axis("transpose", axis1, x.shape());
  Shape shape = x.shape();
  Strides strides = x.strides();
  std::swap(shape[axis0], shape[axis1]);
  std::swap(strides[axis0], strides[axis1]);
  return view(x, shape, strides, x.offset());
}

Tensor slice(const Tensor& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step) {
  check_defined("slice", "x", x);
  axis = normalize_axis("slice", axis, x.shape());
  if (step <= 0) fail("slice", "expected step > 0, got ", step);
  const std::int64_t n = x.shape()[axis];
  const auto clip = [n](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + n : at, 0, n);
  };
  start = clip(start);
  stop = std::max(clip(stop), start);
  Shape shape = x.shape();
  Strides strides = x.strides();
  shape[axis] = (stop - start + step - 1) / step;
  strides[axis] *= step;
  return view(x, shape, strides, x.offset() + start * x.strides()[axis]);
}

Tensor select(const Tensor& x, int axis, std::int64_t index) {
  check_defined("select", "x", x);
  axis = normalize_axis("select", axis, x.shape());
  const std::int64_t n = x.shape()[axis];
  if (index < -n || index >= n) {
    fail("select", "expected index in [", -n, ", ", n, "), got ", index, " (axis ", axis, " of ",
         describe(x), ")");
  }
  Shape shape = x.shape();
  Strides strides = x.strides();
  const std::int64_t offset = x.offset() + (index < 0 ? index + n : index) * strides[axis];
  shape.erase(axis);
  strides.erase(axis);
  return view(x, shape, strides, offset);
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis) {
  check_defined("split", "x", x);
  axis = normalize_axis("split", axis, x.shape());
  std::int64_t left = x.shape()[axis];
  bool fits = true;
  for (std::int64_t size : sizes) {
    fits = fits && size >= 0 && size <= left;
    if (fits) left -= size;
  }
  if (!fits || left != 0) {
    fail("split", "expected sizes >= 0 that add up to ", x.shape()[axis], ", got ", sizes.size(),
         " sizes that do not (axis ", axis, " of ", describe(x), ")");
  }
  std::vector<Tensor> parts;
  std::int64_t at = 0;
  for (std::int64_t size : sizes) {
    parts.push_back(slice(x, axis, at, at + size));
    at += size;
  }
  return parts;
}

std::vector<std::int64_t> chunk_sizes(std::int64_t n, std::int64_t count) {
  if (count < 1) fail("chunk", "expected count >= 1, got ", count);
  const std::int64_t size = n / count + (n % count != 0);
  if (size == 0) return {0};
  std::vector<std::int64_t> sizes;
  for (std::int64_t at = 0; at < n; at += size) sizes.push_back(std::min(size, n - at));
  return sizes;
}

std::vector<Tensor> chunk(const Tensor& x, std::int64_t count, int axis) {
  check_defined("chunk", "x", x);
  axis = normalize_axis("chunk", axis, x.shape());
  return split(x, chunk_sizes(x.shape()[axis], count), axis);
}

Tensor expand(const Tensor& x, const Shape& shape) {
  check_defined("expand", "x", x);
  check_sizes("expand", shape);
  if (x.shape() == shape) return x;
  const int added = shape.size() - x.rank();
  Strides strides = Dims::filled(shape.size(), 0);
  bool fits = added >= 0;
  for (int i = 0; fits && i < x.rank(); ++i) {
    if (x.shape()[i] == shape[i + added]) {
      strides[i + added] = x.strides()[i];
    } else {
      fits = x.shape()[i] == 1;
    }
  }
  if (!fits) {
    fail("expand", "expected a shape that ", x.shape(), " broadcasts to, got ", shape, " (input ",
         describe(x), ")");
  }
  return view(x, shape, strides, x.offset());
}

Tensor as_strided(const Tensor& x, const Shape& shape, const Strides& strides,
                  std::int64_t offset) {
  check_defined("as_strided", "x", x);
  if (!x.is_contiguous()) {
    fail("as_strided", "expected a row-major tensor without gaps, got ", describe(x),
         " with strides ", x.strides());
  }
  if (shape.size() != strides.size()) {
    fail("as_strided", "expected one stride an axis, got shape ", shape, " and strides ", strides);
  }
  bool inside = offset >= 0 && offset <= x.numel();
  std::int64_t last = offset;
  for (int i = 0; i < shape.size(); ++i) {
    if (strides[i] < 0) fail("as_strided", "expected strides >= 0, got ", strides);
    std::int64_t reach = 0;
    if (numel_of(shape) == 0) continue;
    inside = inside && !__builtin_mul_overflow(shape[i] - 1, strides[i], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
  }
  if (!inside || (numel_of(shape) > 0 && last >= x.numel())) {
    fail("as_strided", "expected elements within the ", x.numel(), " of x, got offset ", offset,
         ", shape ", shape, ", strides ", strides, " (input ", describe(x), ")");
  }
  return view(x, shape, strides, x.offset() + offset);
}

Tensor unsqueeze(const Tensor& x, int axis) {
  check_defined("unsqueeze", "x", x);
  check_room("unsqueeze", x.shape());
  const int rank = x.rank();
  if (axis < -rank - 1 || axis > rank) {
    fail("unsqueeze", "expected axis in [", -rank - 1, ", ", rank, "], got ", axis, " (input ",
         describe(x), ")");
  }
  if (axis < 0) axis += rank + 1;
  Shape shape = x.shape();
  Strides strides = x.strides();
  strides.insert(axis, axis < rank ? shape[axis] * strides[axis] : 1);
  shape.insert(axis, 1);
  return view(x, shape, strides, x.offset());
}

Tensor squeeze(const Tensor& x, int axis) {
  check_defined("squeeze", "x", x);
  axis = normalize_axis("squeeze", axis, x.shape());
  if (x.shape()[axis] != 1) {
    fail("squeeze", "expected size 1 on axis ", axis, ", got ", describe(x));
  }
  return select(x, axis, 0);
}

}  // namespace athanor
