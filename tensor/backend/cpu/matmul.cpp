#include "tensor/backend/cpu/matmul.h"

#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

#include "tensor/backend/cpu/scratch.h"
#include "tensor/base/error.h"

namespace athanor::cpu {
namespace {

std::optional<GemmPath> path_from_environment() {
  const char* value = std::getenv("ATHANOR_GEMM");
  if (!value || !*value) return std::nullopt;
  for (GemmPath path : {GemmPath::own, GemmPath::openblas, GemmPath::onednn, GemmPath::reference}) {
    if (std::string_view(value) == name_of(path)) return path;
  }
  raise(ErrorKind::usage, "ATHANOR_GEMM: expected own, openblas, onednn or reference, got ", value);
}

void run_path(GemmPath path, const MatmulArgs& args) {
  detail::note_path(name_of(path));
  switch (path) {
    case GemmPath::own:
      return own_matmul(args);
    case GemmPath::openblas:
      return openblas_matmul(args);
    case GemmPath::onednn:
      return onednn_matmul(args);
    case GemmPath::reference:
      return reference_kernels().matmul.run(args);
  }
}

// An operand of a 16-bit dtype as f32 in row-major memory; axes of stride 0 stay so.
struct Wide {
  std::unique_ptr<float[]> memory;
  std::int64_t strides[kMaxRank];
  std::int64_t sizes[kMaxRank];
  Operand operand;

  explicit Wide(const Operand& x, bool read) {
    std::int64_t count = 1;
    for (int i = x.rank - 1; i >= 0; --i) {
      const bool repeated = x.strides[i] == 0;
      sizes[i] = repeated ? 1 : x.sizes[i];
      strides[i] = repeated ? 0 : count;
      count *= sizes[i];
    }
    memory.reset(new float[static_cast<std::size_t>(count)]);
    operand = {memory.get(), x.sizes, strides, x.rank, DType::f32};
    if (!read) return;
    const Operand from{x.data, sizes, x.strides, x.rank, x.dtype};
    const Operand to{memory.get(), sizes, strides, x.rank, DType::f32};
    cpu_kernels().copy.run({from, to});
  }
};

// f16 and bf16: converted to f32, multiplied, rounded once.
void matmul_by_f32(const MatmulArgs& args) {
  const Wide x(args.x, true), y(args.y, true), z(args.z, false);
  MatmulArgs wide{x.operand, y.operand, z.operand, {}};
  std::optional<Wide> bias;
  if (args.bias.data) wide.bias = bias.emplace(args.bias, true).operand;
  run_path(gemm_path(wide), wide);
  cpu_kernels().copy.run({z.operand, args.z});
}

}  // namespace

void (*own_matmul)(const MatmulArgs&) = nullptr;

const char* name_of(GemmPath path) {
  constexpr const char* names[] = {"own", "openblas", "onednn", "reference"};
  return names[static_cast<int>(path)];
}

// The own kernel: over the shapes of bench/gemm_bench it is level with the best of the three or
// ahead (docs/performance.md, "Matrix products"), and it gives the same bits at every thread count.
GemmPath gemm_path(const MatmulArgs& args) {
  static const std::optional<GemmPath> forced = path_from_environment();
  // oneDNN knows no f64.
  if (forced == GemmPath::onednn && args.x.dtype == DType::f64) return GemmPath::openblas;
  return forced.value_or(GemmPath::own);
}

void matmul(const MatmulArgs& args) {
  const GemmPath path = gemm_path(args);
  if (args.x.dtype == DType::f32 || args.x.dtype == DType::f64) return run_path(path, args);
  const bool native = args.x.dtype == DType::bf16 && onednn_has_bf16();
  if (path == GemmPath::own) {
    return run_path(native && bf16_products_pay() ? GemmPath::onednn : path, args);
  }
  if (path == GemmPath::reference || (path == GemmPath::onednn && native)) {
    return run_path(path, args);
  }
  matmul_by_f32(args);
}

}  // namespace athanor::cpu
