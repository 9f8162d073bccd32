// cuDNN's graph interface for graphs of one operation: descriptors, the choice of an engine,
// running.
#pragma once

#include <cudnn.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "tensor/base/dtype.h"

namespace athanor::cuda {

void check_dnn(cudnnStatus_t status, const char* call, const char* file, int line);
#define ATHANOR_DNN_CHECK(call) ::athanor::cuda::check_dnn((call), #call, __FILE__, __LINE__)

// This thread's cuDNN handle of the current device, on its stream.
cudnnHandle_t dnn_handle();
cudnnDataType_t dnn_type(DType dtype);

// Owns a backend descriptor.
class DnnDescriptor {
 public:
  explicit DnnDescriptor(cudnnBackendDescriptorType_t type);
  ~DnnDescriptor();
  DnnDescriptor(DnnDescriptor&& other) noexcept;
  DnnDescriptor(const DnnDescriptor&) = delete;
  DnnDescriptor& operator=(const DnnDescriptor&) = delete;

  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
           const void* values);
  void set_int(cudnnBackendAttributeName_t name, std::initializer_list<std::int64_t> values);
  void set_child(cudnnBackendAttributeName_t name, const DnnDescriptor& child);
  void finalize();
  cudnnBackendDescriptor_t get() const { return value_; }

 private:
  cudnnBackendDescriptor_t value_ = nullptr;
};

// A tensor of the graph: sizes in the order N, C, H, W, memory in the order N, H, W, C.
struct DnnTensor {
  std::int64_t id;
  std::int64_t sizes[4];
  DType dtype;
  std::int64_t alignment;  // of its address, in bytes
};
DnnDescriptor describe_tensor(const DnnTensor& t);

// A way to run a graph of one operation.
class DnnPlan {
 public:
  // The first engine of the heuristic that runs the operation, keeps f32 (unless tf32()) and gives
  // the same bits each time; null when there is none.
  static std::shared_ptr<const DnnPlan> find(const DnnDescriptor& operation, DType dtype);
  // pointers[i] is the memory of the tensor with id ids[i].
  void run(std::span<void* const> pointers, std::span<const std::int64_t> ids) const;

 private:
  DnnPlan() = default;
  std::unique_ptr<DnnDescriptor> graph_, plan_;
  std::int64_t workspace_ = 0;
};

}  // namespace athanor::cuda
