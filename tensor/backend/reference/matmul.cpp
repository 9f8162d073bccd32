#include "tensor/backend/reference/reference.h"

namespace athanor::reference {

// z[.., m, n] = sum over k of x[.., m, k] y[.., k, n] + bias[n], accumulated in double for every
// dtype.
void matmul(const MatmulArgs& args) {
  const int rank = args.z.rank;
  const std::int64_t K = args.x.sizes[rank - 1];
  const std::int64_t xk = args.x.strides[rank - 1], yk = args.y.strides[rank - 2];
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    Index index(args.z.sizes, rank);
    const std::int64_t n = args.z.numel();
    for (std::int64_t i = 0; i < n; ++i, index.next()) {
      std::int64_t x_at = index[rank - 2] * args.x.strides[rank - 2];
      std::int64_t y_at = index[rank - 1] * args.y.strides[rank - 1];
      for (int axis = 0; axis + 2 < rank; ++axis) {
        x_at += index[axis] * args.x.strides[axis];
        y_at += index[axis] * args.y.strides[axis];
      }
      double total = 0;
      if (args.bias.data) {
        const compute_t<T> bias = args.bias.as<T>()[index[rank - 1]];
        total = static_cast<double>(bias);
      }
      for (std::int64_t k = 0; k < K; ++k) {
        const compute_t<T> left = args.x.as<T>()[x_at + k * xk];
        const compute_t<T> right = args.y.as<T>()[y_at + k * yk];
        total += static_cast<double>(left) * static_cast<double>(right);
      }
      args.z.as<T>()[index.offset(args.z.strides)] =
          static_cast<T>(static_cast<compute_t<T>>(total));
    }
  });
}

}  // namespace athanor::reference
