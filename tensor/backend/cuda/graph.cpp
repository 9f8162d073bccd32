#include "tensor/backend/cuda/graph.h"

#include "tensor/backend/cuda/check.h"

namespace athanor::cuda {
namespace {

struct Graph {
  cudaGraphExec_t executable = nullptr;
  int pool = 0;
};

}  // namespace

void begin_capture(Context& c) {
  make_current(c.index);
  if (c.pool != 0) fail("captured_step", "expected one recording at a time on a device");
  static std::atomic<int> pools{0};
  // Only this thread's own calls may spoil the recording: other threads' allocations may go on.
  ATHANOR_CUDA_CHECK(cudaStreamBeginCapture(c.stream, cudaStreamCaptureModeThreadLocal));
  c.pool = ++pools;
}

void* end_capture(Context& c) {
  make_current(c.index);
  const int pool = c.pool.exchange(0);
  cudaGraph_t graph = nullptr;
  const cudaError_t status = cudaStreamEndCapture(c.stream, &graph);
  if (status != cudaSuccess) c.allocator.dissolve_pool(pool);
  check_call(status, "cudaStreamEndCapture", __FILE__, __LINE__);
  auto result = new Graph{nullptr, pool};
  const cudaError_t made = cudaGraphInstantiate(&result->executable, graph, 0);
  cudaGraphDestroy(graph);
  if (made != cudaSuccess) {
    c.allocator.dissolve_pool(pool);
    delete result;
  }
  check_call(made, "cudaGraphInstantiate", __FILE__, __LINE__);
  return result;
}

void abandon_capture(Context& c) noexcept {
  const int pool = c.pool.exchange(0);
  if (pool == 0) return;  // end_capture() had begun
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(c.stream, &graph);
  if (graph) cudaGraphDestroy(graph);
  cudaGetLastError();
  c.allocator.dissolve_pool(pool);
}

void launch_graph(Context& c, void* graph) {
  make_current(c.index);
  ATHANOR_CUDA_CHECK(cudaGraphLaunch(static_cast<Graph*>(graph)->executable, c.stream));
}

void destroy_graph(Context& c, void* graph) noexcept {
  auto* g = static_cast<Graph*>(graph);
  cudaSetDevice(c.index);
  ++runtime_counters().synchronizations;
  cudaStreamSynchronize(c.stream);
  cudaGraphExecDestroy(g->executable);
  c.allocator.dissolve_pool(g->pool);
  delete g;
}

}  // namespace athanor::cuda
