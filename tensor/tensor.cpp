#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>

#include "tensor/backend/device.h"
#include "tensor/host.h"

namespace athanor {
namespace {

// Calls visit_element(pointer) for each element in row-major order.
template <class T, class F>
void for_each_row_major(const Tensor& t, F&& visit_element) {
  if (t.numel() == 0) return;
  const T* base = static_cast<const T*>(t.raw());
  Dims index = Dims::filled(t.rank(), 0);
  std::int64_t at = 0;
  for (std::int64_t n = 0; n < t.numel(); ++n) {
    visit_element(base + at);
    for (int axis = t.rank() - 1; axis >= 0; --axis) {
      at += t.strides()[axis];
      if (++index[axis] < t.shape()[axis]) break;
      at -= t.strides()[axis] * t.shape()[axis];
      index[axis] = 0;
    }
  }
}

// Strides of a gap-free layout with the axes of `like` in the same memory order.
Strides dense_strides_like(const Tensor& like) {
  int order[kMaxRank];
  for (int i = 0; i < like.rank(); ++i) order[i] = i;
  std::stable_sort(order, order + like.rank(), [&](int a, int b) {
    return like.strides()[a] > like.strides()[b] ||
           (like.strides()[a] == like.strides()[b] && like.shape()[a] > like.shape()[b]);
  });
  Strides strides = Dims::filled(like.rank(), 1);
  std::int64_t step = 1;
  for (int i = like.rank() - 1; i >= 0; --i) {
    strides[order[i]] = step;
    step *= std::max<std::int64_t>(like.shape()[order[i]], 1);
  }
  return strides;
}

Tensor allocate(const Shape& shape, const Strides& strides, DType dtype, Device device) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(numel_of(shape), size_of(dtype), &bytes)) {
    fail("empty", "expected fewer than 2^63 bytes, got shape ", shape, " ", dtype);
  }
  return Tensor(make_ref<Storage>(bytes, device, shape, dtype), shape, strides, 0, dtype);
}

}  // namespace

bool Tensor::follows(std::initializer_list<int> order) const {
  std::int64_t step = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    const int axis = order.begin()[i];
    if (shape_[axis] == 1) continue;
    if (numel_ != 0 && strides_[axis] != step) return false;
    step *= shape_[axis];
  }
  return true;
}

bool Tensor::is_dense() const {
  if (is_contiguous()) return true;
  const Strides dense = dense_strides_like(*this);
  for (int i = 0; i < rank(); ++i) {
    if (shape_[i] != 1 && strides_[i] != dense[i]) return numel_ == 0;
  }
  return true;
}

double Tensor::item() const {
  if (numel_ != 1) fail("item", "expected one element, got ", describe(*this));
  const Tensor value = to_host(*this);
  return visit(dtype_, [&]<class T>(Tag<T>) {
    return static_cast<double>(static_cast<compute_t<T>>(*static_cast<const T*>(value.raw())));
  });
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  check_type(DTypeOf<T>::value);
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(numel_));
  for_each_row_major<T>(to_host(*this), [&](const T* p) { values.push_back(*p); });
  return values;
}

// Copies the memory from the first to the last element, gaps included, so that no kernel is needed.
Tensor to_host(const Tensor& t) {
  if (t.device().type == DeviceType::cpu) return t;
  std::int64_t span = t.numel() > 0 ? 1 : 0;  // elements
  for (int i = 0; i < t.rank() && span > 0; ++i) span += (t.shape()[i] - 1) * t.strides()[i];
  const std::int64_t bytes = span * size_of(t.dtype());
  Tensor host(make_ref<Storage>(bytes, Device{}, t.shape(), t.dtype()), t.shape(), t.strides(), 0,
              t.dtype());
  detail::label_new_blocks("to");
  if (bytes > 0) {
    const Device device = t.device();
    backend_of("to", device).copy_to_host(device.index, host.raw(), t.raw(), bytes);
  }
  return host;
}

namespace detail {

void transfer(const Tensor& x, const Tensor& y) {
  const std::int64_t bytes = x.numel() * size_of(x.dtype());
  if (bytes == 0) return;
  const Device from = x.device(), to = y.device();
  if (to.type == DeviceType::cpu) {
    backend_of("to", from).copy_to_host(from.index, y.raw(), x.raw(), bytes);
  } else if (from.type == DeviceType::cpu) {
    backend_of("to", to).copy_to_device(to.index, y.raw(), x.raw(), bytes);
  } else {
    backend_of("to", to).copy_between(to.index, y.raw(), from.index, x.raw(), bytes);
  }
}

}  // namespace detail

template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape) {
  if (numel_of(shape) != static_cast<std::int64_t>(values.size())) {
    fail("from_values", "expected ", numel_of(shape), " values for shape ", shape, ", got ",
         values.size());
  }
  Tensor t = empty(shape, DTypeOf<T>::value);
  detail::label_new_blocks("from_values");
  if (!values.empty()) std::memcpy(t.raw(), values.data(), values.size_bytes());
  return t;
}

template Tensor from_values<float>(std::span<const float>, const Shape&);
template Tensor from_values<double>(std::span<const double>, const Shape&);
template Tensor from_values<f16>(std::span<const f16>, const Shape&);
template Tensor from_values<bf16>(std::span<const bf16>, const Shape&);
template Tensor from_values<std::int8_t>(std::span<const std::int8_t>, const Shape&);
template Tensor from_values<std::uint8_t>(std::span<const std::uint8_t>, const Shape&);
template Tensor from_values<std::int32_t>(std::span<const std::int32_t>, const Shape&);
template Tensor from_values<std::int64_t>(std::span<const std::int64_t>, const Shape&);
template Tensor from_values<bool>(std::span<const bool>, const Shape&);

template std::vector<float> Tensor::to_vector<float>() const;
template std::vector<double> Tensor::to_vector<double>() const;
template std::vector<f16> Tensor::to_vector<f16>() const;
template std::vector<bf16> Tensor::to_vector<bf16>() const;
template std::vector<std::int8_t> Tensor::to_vector<std::int8_t>() const;
template std::vector<std::uint8_t> Tensor::to_vector<std::uint8_t>() const;
template std::vector<std::int32_t> Tensor::to_vector<std::int32_t>() const;
template std::vector<std::int64_t> Tensor::to_vector<std::int64_t>() const;
template std::vector<bool> Tensor::to_vector<bool>() const;

std::string describe(const Tensor& t) {
  if (!t.defined()) return "undefined tensor";
  return str(t.shape(), " ", t.dtype(), " ", t.device());
}

Tensor empty(const Shape& shape, DType dtype, Device device) {
  numel_of(shape);  // throws for sizes whose strides would overflow
  return allocate(shape, contiguous_strides(shape), dtype, device);
}

Tensor empty_channels_last(const Shape& shape, DType dtype, Device device) {
  if (shape.size() != 4) fail("empty_channels_last", "expected rank 4, got shape ", shape);
  const std::int64_t C = shape[1], H = shape[2], W = shape[3];
  return allocate(shape, {H * W * C, 1, W * C, C}, dtype, device);
}

Tensor empty_like(const Tensor& like) { return empty_like(like, like.dtype()); }

Tensor empty_like(const Tensor& like, DType dtype) {
  if (like.is_contiguous()) return empty(like.shape(), dtype, like.device());
  return allocate(like.shape(), like.is_dense() ? like.strides() : dense_strides_like(like), dtype,
                  like.device());
}

}  // namespace athanor
