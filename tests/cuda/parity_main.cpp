// Every op case on a device: values and gradients are those of the CPU.
//
// In a build with CUDA the device is the first GPU; without one the test says so and is skipped. In
// other builds it is a stand-in in the CPU's memory, which runs the own kernels where their
// emulation is built, else the reference kernels: then dispatch and copies are what is tested.
#include <cstdio>

#include "tensor/devices.h"
#include "tests/catch_session.h"
#include "tests/ops/op_case.h"
#ifdef ATHANOR_CUDA_EMULATED
#include "tests/cuda/emulated_kernels.h"
#endif
#ifndef ATHANOR_CUDA
#include "tests/cuda/test_device.h"
#endif

namespace {

int run(int argc, char** argv) {
  const athanor::Device device{athanor::DeviceType::cuda, 0};
  std::printf("device: %s\n", athanor::device_name(device).c_str());
  athanor::test::check_op_cases_on(device);
  return athanor::test::run_catch(argc, argv);
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
#ifdef ATHANOR_CUDA_EMULATED
  const athanor::Kernels own = athanor::test::emulated_kernels();
#else
  const athanor::Kernels own;
#endif
  athanor::test::TestDevice device(athanor::test::completed_by_reference(own));
#ifdef ATHANOR_CUDA_EMULATED
  device.set_error_check(athanor::test::check_emulated_indices);
#endif
  return run(argc, argv);
#endif
}
