// Every op case on a device: values and gradients are those of the CPU.
//
// In a build with CUDA the device is the first GPU; without one the test says so and is skipped. In
// other builds the own kernels run in the emulation of tests/cuda/emulation.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdio>

#include "tensor/devices.h"
#include "tests/ops/op_case.h"
#ifndef ATHANOR_CUDA
#include "tests/cuda/emulated_kernels.h"
#include "tests/cuda/test_device.h"
#endif

namespace {

int run(int argc, char** argv) {
  const athanor::Device device{athanor::DeviceType::cuda, 0};
  std::printf("device: %s\n", athanor::device_name(device).c_str());
  athanor::test::check_op_cases_on(device);
  return Catch::Session().run(argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
#ifdef ATHANOR_CUDA
  if (athanor::device_count(athanor::DeviceType::cuda) == 0) {
    std::printf("skipped: no CUDA device: %s\n", athanor::why_no_cuda().c_str());
    return 0;
  }
  return run(argc, argv);
#else
  athanor::test::TestDevice device(
      athanor::test::completed_by_reference(athanor::test::emulated_kernels()));
  device.set_error_check(athanor::test::check_emulated_indices);
  return run(argc, argv);
#endif
}
