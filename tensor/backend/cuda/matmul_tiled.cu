#include "tensor/backend/cuda/fallback.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

constexpr int kTile = 64;   // of rows and of columns of z, that a block computes
constexpr int kDepth = 16;  // of the sum, that a block holds at once
constexpr int kMine = 4;    // rows and columns of a thread

// One matrix: rows, columns, strides.
struct Matrix {
  std::int64_t rows, columns, row_stride, column_stride;

  explicit Matrix(const Operand& x)
      : rows(x.sizes[x.rank - 2]),
        columns(x.sizes[x.rank - 1]),
        row_stride(x.strides[x.rank - 2]),
        column_stride(x.strides[x.rank - 1]) {}
};

// Copies the kRows x kColumns part of x at (row, column) to tile [kColumns of the sum][kTile]; what
// lies outside of x counts as 0. Neighbouring threads read neighbours in memory.
template <class A, bool kSumIsColumn, class T>
__device__ inline void load_tile(const Matrix& m, const T* x, std::int64_t first, std::int64_t sum,
                                 A (*tile)[kTile + 1]) {
  constexpr int kElements = kTile * kDepth;
  const std::int64_t sum_stride = kSumIsColumn ? m.column_stride : m.row_stride;
  const std::int64_t side_stride = kSumIsColumn ? m.row_stride : m.column_stride;
  const std::int64_t sums = kSumIsColumn ? m.columns : m.rows;
  const std::int64_t sides = kSumIsColumn ? m.rows : m.columns;
  const bool along_sum = sum_stride == 1;
#pragma unroll
  for (int e = static_cast<int>(threadIdx.x); e < kElements; e += kBlock) {
    const int k = along_sum ? e % kDepth : e / kTile, s = along_sum ? e / kDepth : e % kTile;
    const bool inside = sum + k < sums && first + s < sides;
    tile[k][s] =
        inside ? static_cast<A>(wide(x[(first + s) * side_stride + (sum + k) * sum_stride])) : A(0);
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    matmul_tiles(Matrix x_matrix, Matrix y_matrix, Matrix z_matrix, DeviceRows<3> batches,
                 const T* x, const T* y, const T* bias, T* z) {
  using A = arithmetic_t<compute_t<T>>;
  __shared__ A x_tile[kDepth][kTile + 1], y_tile[kDepth][kTile + 1];
  const int tx = static_cast<int>(threadIdx.x) % (kTile / kMine);
  const int ty = static_cast<int>(threadIdx.x) / (kTile / kMine);
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.y) * kTile;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kTile;
  for (std::int64_t batch = blockIdx.z; batch < batches.count; batch += gridDim.z) {
    std::int64_t at[3];
    batches.offsets(batch, at);
    A sums[kMine][kMine] = {};
    for (std::int64_t k = 0; k < x_matrix.columns; k += kDepth) {
      load_tile<A, true>(x_matrix, x + at[1], row, k, x_tile);
      load_tile<A, false>(y_matrix, y + at[2], column, k, y_tile);
      __syncthreads();
#pragma unroll
      for (int d = 0; d < kDepth; ++d) {
        A left[kMine], right[kMine];
#pragma unroll
        for (int i = 0; i < kMine; ++i) {
          left[i] = x_tile[d][ty + i * (kTile / kMine)];
          right[i] = y_tile[d][tx + i * (kTile / kMine)];
        }
#pragma unroll
        for (int i = 0; i < kMine; ++i) {
#pragma unroll
          for (int j = 0; j < kMine; ++j) sums[i][j] += left[i] * right[j];
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kMine; ++i) {
#pragma unroll
      for (int j = 0; j < kMine; ++j) {
        const std::int64_t r = row + ty + i * (kTile / kMine);
        const std::int64_t c = column + tx + j * (kTile / kMine);
        if (r >= z_matrix.rows || c >= z_matrix.columns) continue;
        const A added = bias ? static_cast<A>(wide(bias[c])) : A(0);
        z[at[0] + r * z_matrix.row_stride + c * z_matrix.column_stride] =
            narrow<T>(static_cast<compute_t<T>>(sums[i][j] + added));
      }
    }
  }
}

// The leading axes of z, x and y; device_rows leaves out the last axis, so the operands are shown
// to it with one axis less.
DeviceRows<3> batches_of(const MatmulArgs& args) {
  Operand z = args.z, x = args.x, y = args.y;
  for (Operand* operand : {&z, &x, &y}) --operand->rank;
  return device_rows<3>({&z, &x, &y});
}

}  // namespace

void matmul_tiled(const MatmulArgs& args) {
  const Matrix z(args.z);
  const DeviceRows<3> batches = batches_of(args);
  if (batches.count * z.rows * z.columns == 0) return;
  const std::int64_t row_tiles = (z.rows + kTile - 1) / kTile;
  if (row_tiles > 65535) {
    fail("matmul", "expected at most ", 65535 * kTile, " rows on this path, got ", z.rows);
  }
  const Dim3 grid{static_cast<unsigned>((z.columns + kTile - 1) / kTile),
                  static_cast<unsigned>(row_tiles),
                  static_cast<unsigned>(batches.count < 65535 ? batches.count : 65535)};
  visit(args.z.dtype, [&]<class T>(Tag<T>) {
    if constexpr (!std::is_same_v<T, bool>) {
      launch_kernel(matmul_tiles<T>, grid, Dim3{kBlock}, 0, current_stream(), Matrix(args.x),
                    Matrix(args.y), z, batches, args.x.as<const T>(), args.y.as<const T>(),
                    args.bias.as<const T>(), args.z.as<T>());
    }
  });
}

}  // namespace athanor::cuda
