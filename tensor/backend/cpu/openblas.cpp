// Matrix products on the CPU through OpenBLAS.
//
// OpenBLAS runs on one thread inside tiles that are cut by shape, so that a product has the same
// bits at every thread count (with its own threads the bits change in most random shapes).
#include <cblas.h>

#include <algorithm>

#include "tensor/backend/cpu/matmul.h"
#include "tensor/backend/kernels.h"
#include "tensor/base/parallel.h"
#include "tensor/base/shared_library.h"

namespace athanor::cpu {
namespace {

// The functions used, of a library that is loaded with the first product.
struct OpenBlas {
  SharedLibrary library{ATHANOR_OPENBLAS, "ATHANOR_GEMM=openblas"};
  ATHANOR_LOADED(library, cblas_dgemm);
  ATHANOR_LOADED(library, cblas_sgemm);
  ATHANOR_LOADED(library, openblas_set_num_threads);

  OpenBlas() { openblas_set_num_threads(1); }
};
const OpenBlas& openblas() {
  static const OpenBlas loaded;
  return loaded;
}

// Multiply-adds below which a second tile does not pay for waking a thread.
constexpr std::int64_t kTileWork = 1 << 20;
constexpr std::int64_t kMaxTiles = 8;

struct Matrix {
  CBLAS_TRANSPOSE transposed;
  blasint leading;  // elements between consecutive rows (columns when transposed)
};

// `rows` x `columns` in memory with the given strides, one of which is 1 (or its size is).
Matrix layout_of(std::int64_t rows, std::int64_t columns, std::int64_t row_stride,
                 std::int64_t column_stride) {
  const bool row_major =
      (column_stride == 1 || columns == 1) && (row_stride >= columns || rows == 1);
  if (row_major) {
    return {CblasNoTrans,
            static_cast<blasint>(std::max(rows == 1 ? columns : row_stride, columns))};
  }
  return {CblasTrans, static_cast<blasint>(std::max(columns == 1 ? rows : column_stride, rows))};
}

void gemm(Matrix x, Matrix y, blasint m, blasint n, blasint k, const float* a, const float* b,
          float* c, blasint ldc) {
  openblas().cblas_sgemm(CblasRowMajor, x.transposed, y.transposed, m, n, k, 1.0f, a, x.leading, b,
                         y.leading, 0.0f, c, ldc);
}

void gemm(Matrix x, Matrix y, blasint m, blasint n, blasint k, const double* a, const double* b,
          double* c, blasint ldc) {
  openblas().cblas_dgemm(CblasRowMajor, x.transposed, y.transposed, m, n, k, 1.0, a, x.leading, b,
                         y.leading, 0.0, c, ldc);
}

// How an M x N product is cut: along its longer side, into pieces of a multiple of 16.
struct Tiling {
  bool along_rows;
  std::int64_t size;
  std::int64_t count;
};

Tiling tile(std::int64_t M, std::int64_t N, std::int64_t K) {
  const bool along_rows = M >= N;
  const std::int64_t length = along_rows ? M : N;
  const std::int64_t wanted = std::clamp<std::int64_t>(M * N * K / kTileWork, 1, kMaxTiles);
  const std::int64_t size = ((length + wanted - 1) / wanted + 15) / 16 * 16;
  return {along_rows, size, (length + size - 1) / size};
}

template <class T>
void matmul_typed(const MatmulArgs& args) {
  const int rank = args.z.rank;
  const std::int64_t M = args.z.sizes[rank - 2], N = args.z.sizes[rank - 1];
  const std::int64_t K = args.x.sizes[rank - 1];
  const std::int64_t xm = args.x.strides[rank - 2], xk = args.x.strides[rank - 1];
  const std::int64_t yk = args.y.strides[rank - 2], yn = args.y.strides[rank - 1];
  const Matrix x = layout_of(M, K, xm, xk), y = layout_of(K, N, yk, yn);
  const Tiling tiles = tile(M, N, K);
  std::int64_t batches = 1;
  for (int i = 0; i + 2 < rank; ++i) batches *= args.z.sizes[i];
  // Small products of a batch are grouped, so that a chunk has enough work.
  const std::int64_t group =
      tiles.count > 1 ? 1 : std::clamp<std::int64_t>(kTileWork / (M * N * K), 1, batches);
  const std::int64_t groups = (batches + group - 1) / group;
  parallel_chunks(groups * tiles.count, [&](std::int64_t chunk) {
    const std::int64_t first = chunk / tiles.count * group;
    const std::int64_t begin = chunk % tiles.count * tiles.size;
    const std::int64_t length = std::min(tiles.size, (tiles.along_rows ? M : N) - begin);
    for (std::int64_t batch = first; batch < std::min(first + group, batches); ++batch) {
      std::int64_t rest = batch, x_at = 0, y_at = 0;
      for (int i = rank - 3; i >= 0; --i) {
        x_at += rest % args.z.sizes[i] * args.x.strides[i];
        y_at += rest % args.z.sizes[i] * args.y.strides[i];
        rest /= args.z.sizes[i];
      }
      const T* a = args.x.as<T>() + x_at + (tiles.along_rows ? begin * xm : 0);
      const T* b = args.y.as<T>() + y_at + (tiles.along_rows ? 0 : begin * yn);
      T* c = args.z.as<T>() + batch * M * N + (tiles.along_rows ? begin * N : begin);
      const std::int64_t rows = tiles.along_rows ? length : M;
      const std::int64_t columns = tiles.along_rows ? N : length;
      gemm(x, y, static_cast<blasint>(rows), static_cast<blasint>(columns), static_cast<blasint>(K),
           a, b, c, static_cast<blasint>(N));
      if (!args.bias.data) continue;
      const T* bias = args.bias.as<const T>() + (tiles.along_rows ? 0 : begin);
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t i = 0; i < columns; ++i) c[r * N + i] += bias[i];
      }
    }
  });
}

}  // namespace

bool has_math_libraries() { return true; }

void openblas_matmul(const MatmulArgs& args) {
  if (args.x.dtype == DType::f32) return matmul_typed<float>(args);
  matmul_typed<double>(args);
}

}  // namespace athanor::cpu
