// Times large products and convolutions on one device, one JSON line a row: the rows of
// bench/gpu_torch.py, for scripts/gpu_check.sh. Training steps and small operations are in
// `athanor bench --device cuda`.
//
//   gpu_bench [DEVICE] [ROW...]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "autograd/ops/conv2d.h"
#include "tensor/devices.h"
#include "tensor/ops.h"
#include "tensor/ops/device.h"

namespace athanor {
namespace {

struct Row {
  std::string name;
  // Prepares the row and returns what is timed.
  std::function<std::function<void()>(Device)> make;
};

Tensor values(const Shape& shape, Device device, std::uint64_t seed = 1) {
  Generator generator(seed);
  return to(random_uniform(shape, generator, -1, 1), device);
}

// n x n by n x n in one dtype.
Row matmul_row(const char* name, DType dtype, bool tf32_on) {
  return {name, [=](Device device) {
            set_tf32(tf32_on);
            const std::int64_t n = device.type == DeviceType::cpu ? 512 : 4096;
            const Tensor a = cast(values({n, n}, device), dtype);
            const Tensor b = cast(values({n, n}, device, 2), dtype);
            return std::function<void()>([=] { matmul(a, b); });
          }};
}

// Forward and backward of a 3 x 3 convolution, 64 channels.
Row conv_row(const char* name, DType dtype) {
  return {name, [=](Device device) {
            set_tf32(dtype == DType::f32);  // as PyTorch's convolutions do by default
            const std::int64_t batch = device.type == DeviceType::cpu ? 4 : 64;
            const Variable x(channels_last(cast(values({batch, 64, 56, 56}, device), dtype)), true);
            const Variable w(cast(values({64, 64, 3, 3}, device, 2), dtype), true);
            const Tensor dy = channels_last(cast(values({batch, 64, 56, 56}, device, 3), dtype));
            return std::function<void()>([=] {
              grad({conv2d(x, w, {}, {.padding = 1})}, {x, w}, false, false, false, {Variable(dy)});
            });
          }};
}

std::vector<Row> rows() {
  return {
      matmul_row("matmul_f32", DType::f32, false), matmul_row("matmul_tf32", DType::f32, true),
      matmul_row("matmul_f16", DType::f16, false), matmul_row("matmul_bf16", DType::bf16, false),
      conv_row("conv_train_tf32", DType::f32),     conv_row("conv_train_bf16", DType::bf16)};
}

void run(const Row& row, Device device) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRepeats = 21, kInner = 10;
  const std::function<void()> body = row.make(device);
  for (int i = 0; i < 5; ++i) body();
  synchronize(device);
  std::vector<double> ms;
  const std::int64_t waits = device_counters().synchronizations;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const auto begin = Clock::now();
    for (int i = 0; i < kInner; ++i) body();
    synchronize(device);
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count() / kInner);
  }
  std::sort(ms.begin(), ms.end());
  // The calls above wait once a repeat; anything more is hidden.
  const std::int64_t hidden =
      device.type == DeviceType::cpu ? 0 : device_counters().synchronizations - waits - kRepeats;
  std::printf(
      "{\"workload\": \"%s\", \"variant\": \"athanor\", \"median_ms\": %.5f, "
      "\"min_ms\": %.5f, \"n\": %d, \"hidden_waits\": %lld}\n",
      row.name.c_str(), ms[ms.size() / 2], ms.front(), kRepeats, static_cast<long long>(hidden));
  std::fflush(stdout);
}

}  // namespace
}  // namespace athanor

int main(int argc, char** argv) {
  using namespace athanor;
  try {
    const Device device = parse_device(argc > 1 ? argv[1] : "cuda");
    const std::vector<std::string> wanted(argv + std::min(argc, 2), argv + argc);
    for (const Row& row : rows()) {
      const bool all = wanted.empty();
      if (!all && std::find(wanted.begin(), wanted.end(), row.name) == wanted.end()) continue;
      run(row, device);
    }
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "gpu_bench: %s\n", error.what());
    return error.kind() == ErrorKind::usage ? 2 : 1;
  }
}
