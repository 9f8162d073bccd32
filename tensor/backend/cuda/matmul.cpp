// Matrix products by cuBLASLt.
//
// A call's algorithm comes from the library's heuristic and is kept, so that a shape asks once.
// Products accumulate in f32 (f64 for f64); f32 factors keep all their bits unless set_tf32(true).
// Reductions across split parts that would depend on timing are not among cuBLASLt's schemes, so
// the same call gives the same bits. Integers, and what the library has no algorithm for, go to the
// own kernel; an event says the latter.
#include <cublasLt.h>

#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

#include "tensor/backend/cuda/context.h"
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/fallback.h"
#include "tensor/backend/cuda/gemm_plan.h"
#include "tensor/backend/device.h"
#include "tensor/base/error.h"
#include "tensor/base/events.h"

namespace athanor::cuda {
namespace {

void check_blas(cublasStatus_t status, const char* call, int line) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  raise(status == CUBLAS_STATUS_ALLOC_FAILED ? ErrorKind::out_of_resources : ErrorKind::runtime,
        "[matmul] ", call, ": ", cublasLtGetStatusString(status), " (", __FILE__, ":", line, ")");
}
#define ATHANOR_BLAS_CHECK(call) check_blas((call), #call, __LINE__)

// The library advises 32 MiB on Hopper.
constexpr std::size_t kWorkspaceLimit = std::size_t{32} << 20;
constexpr std::size_t kCacheLimit = 4096;  // algorithms

// Owns a descriptor of the library.
template <class T, cublasStatus_t (*destroy)(T)>
struct Descriptor {
  T value = nullptr;
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value) destroy(value);
  }
  operator T() const { return value; }
};
using Operation = Descriptor<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Descriptor<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Descriptor<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

cudaDataType_t data_type(DType t) {
  switch (t) {
    case DType::f64:
      return CUDA_R_64F;
    case DType::f16:
      return CUDA_R_16F;
    case DType::bf16:
      return CUDA_R_16BF;
    default:
      return CUDA_R_32F;
  }
}

cublasComputeType_t compute_type(DType t) {
  if (t == DType::f64) return CUBLAS_COMPUTE_64F;
  return t == DType::f32 && tf32() ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

// The largest power of two up to 256 that divides the address.
std::uint32_t alignment_of(const void* p) {
  const auto bits = reinterpret_cast<std::uintptr_t>(p) | 256;
  return static_cast<std::uint32_t>(bits & (~bits + 1));
}

// Everything on which the choice of an algorithm depends.
using Key = std::tuple<int, DType, bool, bool, std::int64_t, std::int64_t, std::int64_t,
                       std::int64_t, std::tuple<bool, std::int64_t, std::int64_t>,
                       std::tuple<bool, std::int64_t, std::int64_t>, std::int64_t, std::uint32_t,
                       std::uint32_t, std::uint32_t>;

Key key_of(int device, DType dtype, bool biased, const GemmPlan& p, const void* x, const void* y,
           const void* z) {
  const auto flat = [](const GemmFactor& f) {
    return std::tuple(f.transposed, f.leading, f.batch_stride);
  };
  return {device,
          dtype,
          tf32(),
          biased,
          p.m,
          p.n,
          p.k,
          p.batch,
          flat(p.x),
          flat(p.y),
          p.z_batch_stride,
          alignment_of(x),
          alignment_of(y),
          alignment_of(z)};
}

struct Library {
  cublasLtHandle_t handle = nullptr;
  std::mutex mutex;
  std::map<Key, cublasLtMatmulHeuristicResult_t> algorithms;
};

// One for the process: a handle belongs to the device that was current at its creation.
Library& library(int device) {
  static std::mutex mutex;
  static auto* all = new std::map<int, Library>;
  std::lock_guard lock(mutex);
  Library& lib = (*all)[device];
  if (!lib.handle) ATHANOR_BLAS_CHECK(cublasLtCreate(&lib.handle));
  return lib;
}

void make_layout(Layout& layout, DType dtype, std::int64_t rows, std::int64_t columns,
                 std::int64_t leading, std::int64_t batch, std::int64_t batch_stride) {
  ATHANOR_BLAS_CHECK(cublasLtMatrixLayoutCreate(&layout.value, data_type(dtype),
                                                static_cast<std::uint64_t>(rows),
                                                static_cast<std::uint64_t>(columns), leading));
  if (batch == 1) return;
  const auto count = static_cast<std::int32_t>(batch);
  ATHANOR_BLAS_CHECK(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
                                                      &count, sizeof count));
  ATHANOR_BLAS_CHECK(cublasLtMatrixLayoutSetAttribute(
      layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &batch_stride, sizeof batch_stride));
}

void set_alignment(const Preference& preference, cublasLtMatmulPreferenceAttributes_t which,
                   const void* p) {
  const std::uint32_t bytes = alignment_of(p);
  ATHANOR_BLAS_CHECK(cublasLtMatmulPreferenceSetAttribute(preference, which, &bytes, sizeof bytes));
}

// A product's descriptors: the left factor of the column-major call is y, the right one x.
class Product {
 public:
  Product(const GemmPlan& plan, DType dtype, const void* bias) : dtype_(dtype) {
    ATHANOR_BLAS_CHECK(cublasLtMatmulDescCreate(&operation_.value, compute_type(dtype),
                                                dtype == DType::f64 ? CUDA_R_64F : CUDA_R_32F));
    set(CUBLASLT_MATMUL_DESC_TRANSA, plan.y.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, plan.x.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (bias) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
      set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, data_type(dtype));
    }
    const bool ty = plan.y.transposed, tx = plan.x.transposed;
    make_layout(y_, dtype, ty ? plan.k : plan.n, ty ? plan.n : plan.k, plan.y.leading, plan.batch,
                plan.y.batch_stride);
    make_layout(x_, dtype, tx ? plan.m : plan.k, tx ? plan.k : plan.m, plan.x.leading, plan.batch,
                plan.x.batch_stride);
    make_layout(z_, dtype, plan.n, plan.m, plan.n, plan.batch, plan.z_batch_stride);
  }

  // The state is not CUBLAS_STATUS_SUCCESS when there is no algorithm.
  cublasLtMatmulHeuristicResult_t choose(cublasLtHandle_t handle, const void* x, const void* y,
                                         const void* z) const {
    Preference preference;
    ATHANOR_BLAS_CHECK(cublasLtMatmulPreferenceCreate(&preference.value));
    ATHANOR_BLAS_CHECK(
        cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &kWorkspaceLimit, sizeof kWorkspaceLimit));
    set_alignment(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, y);
    set_alignment(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, x);
    set_alignment(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, z);
    set_alignment(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, z);
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle, operation_, y_, x_, z_, z_,
                                                                 preference, 1, &result, &found);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) ATHANOR_BLAS_CHECK(status);
    if (found == 0) result.state = CUBLAS_STATUS_NOT_SUPPORTED;
    return result;
  }

  void run(cublasLtHandle_t handle, const cublasLtMatmulHeuristicResult_t& how, const void* x,
           const void* y, void* z) const {
    const double one = 1, zero = 0;
    const float one_f = 1, zero_f = 0;
    const bool wide = dtype_ == DType::f64;
    const Workspace workspace(how.workspaceSize);
    ATHANOR_BLAS_CHECK(
        cublasLtMatmul(handle, operation_, wide ? static_cast<const void*>(&one) : &one_f, y, y_, x,
                       x_, wide ? static_cast<const void*>(&zero) : &zero_f, z, z_, z, z_,
                       &how.algo, workspace.as<void>(), how.workspaceSize, current_stream()));
  }

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t which, const T& value) {
    ATHANOR_BLAS_CHECK(cublasLtMatmulDescSetAttribute(operation_, which, &value, sizeof value));
  }

  DType dtype_;
  Operation operation_;
  Layout x_, y_, z_;
};

// The own kernel, and the bias after it.
void run_tiled(MatmulArgs a) {
  const Operand bias = a.bias;
  a.bias = {};
  matmul_tiled(a);
  if (!bias.data) return;
  std::int64_t strides[kMaxRank] = {};
  strides[a.z.rank - 1] = 1;
  Operand row = a.z;
  row.data = bias.data;
  row.strides = strides;
  binary({BinaryOp::add, a.z, row, a.z});
}

void run_own(const MatmulArgs& a) {
  emit_event("cuda.matmul_tiled", str("matmul: cuBLASLt has no algorithm for dtype ", a.x.dtype,
                                      "; the slower own kernel is used"));
  run_tiled(a);
}

void run_product(const MatmulArgs& a) {
  const void* bias = a.bias.data;
  const DType dtype = a.x.dtype;
  const auto size = size_of(dtype);
  const GemmPlan plan = plan_gemm(a);
  Library& lib = library(current_context().index);
  const Product product(plan, dtype, bias);
  for (const GemmPlan::Offsets& at : plan.calls) {
    const char *x = a.x.as<char>() + at.x * size, *y = a.y.as<char>() + at.y * size;
    char* z = a.z.as<char>() + at.z * size;
    const Key key = key_of(current_context().index, dtype, bias != nullptr, plan, x, y, z);
    cublasLtMatmulHeuristicResult_t how;
    {
      std::lock_guard lock(lib.mutex);
      const auto known = lib.algorithms.find(key);
      if (known != lib.algorithms.end()) {
        how = known->second;
      } else {
        if (lib.algorithms.size() >= kCacheLimit) lib.algorithms.clear();
        how = lib.algorithms[key] = product.choose(lib.handle, x, y, z);
      }
    }
    // The same for all calls: their shapes are.
    if (how.state != CUBLAS_STATUS_SUCCESS) return run_own(a);
    product.run(lib.handle, how, x, y, z);
  }
}

}  // namespace

void matmul(const MatmulArgs& a) {
  if (!is_floating(a.x.dtype)) return run_tiled(a);
  run_product(a);
}

}  // namespace athanor::cuda
