#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/launch.h"

namespace athanor::cuda {
namespace {

// A strided tensor of at most kMaxRank axes, passed to kernels by value.
struct View {
  std::int64_t sizes[kMaxRank];
  std::int64_t strides[kMaxRank];
  int rank;
};

View view_of(const Operand& x) {
  View view{};
  view.rank = x.rank;
  for (int i = 0; i < x.rank; ++i) {
    view.sizes[i] = x.sizes[i];
    view.strides[i] = x.strides[i];
  }
  return view;
}

__global__ void fill_bytes(char* y, View view, std::int64_t n, std::uint64_t bits, int size) {
  const std::int64_t step = std::int64_t{blockDim.x} * gridDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    std::int64_t at = 0, rest = i;
    for (int axis = view.rank - 1; axis >= 0; --axis) {
      at += rest % view.sizes[axis] * view.strides[axis];
      rest /= view.sizes[axis];
    }
    for (int b = 0; b < size; ++b) y[at * size + b] = static_cast<char>(bits >> (8 * b));
  }
}

}  // namespace

void fill(const FillArgs& a) {
  std::uint64_t bits = 0;
  visit(a.y.dtype, [&]<class T>(Tag<T>) {
    const T value = static_cast<T>(static_cast<compute_t<T>>(a.value));
    __builtin_memcpy(&bits, &value, sizeof value);
  });
  const std::int64_t n = a.y.numel();
  const auto blocks = static_cast<unsigned>(n < 1024 * 256 ? (n + 255) / 256 : 1024);
  launch_kernel(fill_bytes, {blocks}, {256}, 0, current_stream(), a.y.as<char>(), view_of(a.y), n,
                bits, static_cast<int>(size_of(a.y.dtype)));
}

}  // namespace athanor::cuda
