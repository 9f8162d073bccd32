#include "tensor/backend/cuda/cudnn_plan.h"

#include <array>
#include <map>

#include "tensor/backend/cuda/context.h"
#include "tensor/backend/device.h"
#include "tensor/base/error.h"

namespace athanor::cuda {

void check_dnn(cudnnStatus_t status, const char* call, const char* file, int line) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 512> detail{};
  cudnnGetLastErrorString(detail.data(), detail.size());
  raise(ErrorKind::runtime, "[cudnn] ", call, ": ", cudnnGetErrorString(status), ", ",
        detail.data(), " (", file, ":", line, ")");
}

cudnnHandle_t dnn_handle() {
  // A handle is for one thread and one device.
  thread_local std::map<int, cudnnHandle_t> handles;
  Context& c = current_context();
  cudnnHandle_t& handle = handles[c.index];
  if (!handle) {
    ATHANOR_DNN_CHECK(cudnnCreate(&handle));
    ATHANOR_DNN_CHECK(cudnnSetStream(handle, c.stream));
  }
  return handle;
}

cudnnDataType_t dnn_type(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return CUDNN_DATA_DOUBLE;
    case DType::f16:
      return CUDNN_DATA_HALF;
    case DType::bf16:
      return CUDNN_DATA_BFLOAT16;
    default:
      return CUDNN_DATA_FLOAT;
  }
}

DnnDescriptor::DnnDescriptor(cudnnBackendDescriptorType_t type) {
  ATHANOR_DNN_CHECK(cudnnBackendCreateDescriptor(type, &value_));
}
DnnDescriptor::~DnnDescriptor() {
  if (value_) cudnnBackendDestroyDescriptor(value_);
}
DnnDescriptor::DnnDescriptor(DnnDescriptor&& other) noexcept : value_(other.value_) {
  other.value_ = nullptr;
}

void DnnDescriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                        std::int64_t count, const void* values) {
  ATHANOR_DNN_CHECK(cudnnBackendSetAttribute(value_, name, type, count, values));
}
void DnnDescriptor::set_int(cudnnBackendAttributeName_t name,
                            std::initializer_list<std::int64_t> values) {
  set(name, CUDNN_TYPE_INT64, static_cast<std::int64_t>(values.size()), values.begin());
}
void DnnDescriptor::set_child(cudnnBackendAttributeName_t name, const DnnDescriptor& child) {
  const cudnnBackendDescriptor_t value = child.get();
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}
void DnnDescriptor::finalize() { ATHANOR_DNN_CHECK(cudnnBackendFinalize(value_)); }

DnnDescriptor describe_tensor(const DnnTensor& t) {
  DnnDescriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const cudnnDataType_t type = dnn_type(t.dtype);
  const std::int64_t C = t.sizes[1], H = t.sizes[2], W = t.sizes[3];
  const std::int64_t strides[4] = {H * W * C, 1, W * C, C};
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, t.sizes);
  d.set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
  d.set_int(CUDNN_ATTR_TENSOR_UNIQUE_ID, {t.id});
  d.set_int(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {t.alignment});
  d.finalize();
  return d;
}

namespace {

// Whether the engine of a configuration keeps the promises of DnnPlan.
bool keeps_promises(const DnnDescriptor& config, DType dtype) {
  DnnDescriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t value = engine.get();
  std::int64_t count = 0;
  ATHANOR_DNN_CHECK(cudnnBackendGetAttribute(config.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                             CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &value));
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  ATHANOR_DNN_CHECK(cudnnBackendGetAttribute(engine.get(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                             CUDNN_TYPE_NUMERICAL_NOTE, notes.size(), &count,
                                             notes.data()));
  const bool full = dtype == DType::f64 || (dtype == DType::f32 && !tf32());
  for (std::int64_t i = 0; i < count; ++i) {
    switch (notes[static_cast<std::size_t>(i)]) {
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
      case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
      case CUDNN_NUMERICAL_NOTE_FFT:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
        return false;
      // On f32 tensors the tensor cores compute in TF32.
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
        if (full) return false;
        break;
      default:
        break;
    }
  }
  return true;
}

std::vector<DnnDescriptor> configurations(const DnnDescriptor& graph, cudnnBackendHeurMode_t mode) {
  DnnDescriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set_child(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  // A mode that does not know the graph has nothing to say.
  if (cudnnBackendFinalize(heuristic.get()) != CUDNN_STATUS_SUCCESS) return {};
  constexpr std::int64_t kMost = 32;
  std::vector<DnnDescriptor> found;
  std::vector<cudnnBackendDescriptor_t> values;
  for (std::int64_t i = 0; i < kMost; ++i) {
    found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    values.push_back(found.back().get());
  }
  std::int64_t count = 0;
  ATHANOR_DNN_CHECK(cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                             CUDNN_TYPE_BACKEND_DESCRIPTOR, kMost, &count,
                                             values.data()));
  while (static_cast<std::int64_t>(found.size()) > count) found.pop_back();
  return found;
}

// The execution plan of a configuration; null when the engine refuses.
std::unique_ptr<DnnDescriptor> plan_of(const DnnDescriptor& config) {
  auto plan = std::make_unique<DnnDescriptor>(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan->set_child(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  const cudnnHandle_t handle = dnn_handle();
  plan->set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
  if (cudnnBackendFinalize(plan->get()) != CUDNN_STATUS_SUCCESS) return nullptr;
  return plan;
}

}  // namespace

std::shared_ptr<const DnnPlan> DnnPlan::find(const DnnDescriptor& operation, DType dtype) {
  std::shared_ptr<DnnPlan> result(new DnnPlan);
  result->graph_ = std::make_unique<DnnDescriptor>(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  const cudnnHandle_t handle = dnn_handle();
  result->graph_->set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
  result->graph_->set_child(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
  // A graph that cuDNN does not know at all fails here.
  if (cudnnBackendFinalize(result->graph_->get()) != CUDNN_STATUS_SUCCESS) return nullptr;
  for (cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (const DnnDescriptor& config : configurations(*result->graph_, mode)) {
      if (!keeps_promises(config, dtype)) continue;
      result->plan_ = plan_of(config);
      if (!result->plan_) continue;
      std::int64_t count = 0;
      ATHANOR_DNN_CHECK(cudnnBackendGetAttribute(result->plan_->get(),
                                                 CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                                 CUDNN_TYPE_INT64, 1, &count, &result->workspace_));
      return result;
    }
  }
  return nullptr;
}

void DnnPlan::run(std::span<void* const> pointers, std::span<const std::int64_t> ids) const {
  const Workspace workspace(static_cast<std::size_t>(workspace_));
  void* scratch = workspace.as<void>();
  DnnDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
           static_cast<std::int64_t>(pointers.size()), pointers.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64,
           static_cast<std::int64_t>(ids.size()), ids.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &scratch);
  pack.finalize();
  ATHANOR_DNN_CHECK(cudnnBackendExecute(dnn_handle(), plan_->get(), pack.get()));
}

}  // namespace athanor::cuda
