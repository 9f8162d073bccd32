#include "tensor/captured_step.h"

#include <algorithm>
#include <cstring>

#include "tensor/backend/device.h"
#include "tensor/host.h"

namespace athanor {

// One set of input shapes: the tensors that the graph reads and writes, and the graph.
struct CapturedStep::Entry {
  std::vector<Tensor> inputs, results;
  Device device;
  int runs = 0;
  void* graph = nullptr;

  ~Entry() {
    if (!graph) return;
    // The results' memory is the graph's.
    results.clear();
    cuda_backend()->destroy_graph(device.index, graph);
  }
  bool fits(const std::vector<Tensor>& others) const {
    return std::equal(inputs.begin(), inputs.end(), others.begin(), others.end(),
                      [](const Tensor& a, const Tensor& b) {
                        return a.shape() == b.shape() && a.dtype() == b.dtype() &&
                               a.strides() == b.strides() && a.device() == b.device();
                      });
  }
};

namespace {

// The elements of a dense tensor in their order in memory.
bool same_bytes(const Tensor& a, const Tensor& b) {
  const Tensor x = to_host(a), y = to_host(b);
  return x.shape() == y.shape() && x.strides() == y.strides() && x.dtype() == y.dtype() &&
         std::memcmp(x.raw(), y.raw(), static_cast<std::size_t>(x.numel() * size_of(x.dtype()))) ==
             0;
}

}  // namespace

CapturedStep::CapturedStep(Step step, const CapturedStepOptions& options)
    : step_(std::move(step)), options_(options) {
  if (options.warm_up < 1 || options.most_graphs < 1) {
    fail("captured_step", "expected warm_up and most_graphs >= 1, got ", options.warm_up, " and ",
         options.most_graphs);
  }
}
CapturedStep::~CapturedStep() = default;

std::vector<Tensor> CapturedStep::run(const std::vector<Tensor>& inputs) {
  ++counters_.runs;
  return step_(inputs);
}

CapturedStep::Entry& CapturedStep::entry_for(const std::vector<Tensor>& inputs) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const auto& entry) { return entry->fits(inputs); });
  if (found != entries_.end()) {
    std::rotate(entries_.begin(), found, found + 1);
    return *entries_.front();
  }
  if (entries_.size() == static_cast<std::size_t>(options_.most_graphs)) entries_.pop_back();
  auto entry = std::make_unique<Entry>();
  entry->inputs = inputs;
  entry->device = inputs.front().device();
  entries_.insert(entries_.begin(), std::move(entry));
  return *entries_.front();
}

std::vector<Tensor> CapturedStep::operator()(const std::vector<Tensor>& inputs) {
  if (inputs.empty()) fail("captured_step", "expected at least one input, got none");
  for (const Tensor& t : inputs) {
    if (!t.is_dense() || !(t.device() == inputs.front().device())) {
      fail("captured_step", "expected dense inputs on one device, got ", describe(t));
    }
  }
  if (inputs.front().device().type == DeviceType::cpu) return run(inputs);
  Entry& entry = entry_for(inputs);
  if (!entry.graph && entry.runs < options_.warm_up) {
    ++entry.runs;
    return run(inputs);
  }
  if (!entry.graph) {
    // From here on the inputs have a fixed place.
    for (Tensor& t : entry.inputs) t = empty_like(t);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) detail::transfer(inputs[i], entry.inputs[i]);
  if (!entry.graph) capture(entry);
  backend_of("captured_step", entry.device).launch_graph(entry.device.index, entry.graph);
  ++counters_.replays;
  if (options_.verify) verify(entry);
  return entry.results;
}

void CapturedStep::capture(Entry& entry) {
  const DeviceBackend& backend = backend_of("captured_step", entry.device);
  backend.begin_capture(entry.device.index);
  try {
    entry.results = run(entry.inputs);
    entry.graph = backend.end_capture(entry.device.index);
  } catch (...) {
    entry.results.clear();
    backend.abandon_capture(entry.device.index);
    throw;
  }
  ++counters_.captures;
}

void CapturedStep::verify(const Entry& entry) {
  const std::vector<Tensor> expected = run(entry.inputs);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (i >= entry.results.size() || !same_bytes(entry.results[i], expected[i])) {
      fail("captured_step", "expected a replay to give the step's bits; result ", i,
           " differs: the step depends on more than its inputs");
    }
  }
}

}  // namespace athanor
