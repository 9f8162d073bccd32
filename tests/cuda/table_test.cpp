// The table of the CUDA backend is complete: an entry without a kernel, or with fewer dtypes than
// the CPU, stands here with its reason.
#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "tensor/backend/kernels.h"
#include "tests/cuda/kernel_list.h"
#ifdef ATHANOR_CUDA
#include "tensor/backend/device.h"
#else
#include "tests/cuda/emulated_kernels.h"
#endif

namespace athanor::test {
namespace {

// Entries that the backend has not, and why.
const std::map<std::string, std::string> kAbsent = {
    {"conv2d_batch_norm_backward", "the device runs the two operations one after the other"},
    {"quantize", "INT8 inference is of the CPU"},
    {"dequantize", "as quantize"},
    {"pack_quantized", "as quantize"},
    {"quantized_conv2d", "as quantize"},
    {"quantized_add", "as quantize"},
    {"quantized_avg_pool", "as quantize"}};

// Dtypes that the CPU computes and the device does not, and why.
const std::map<std::string, std::string> kFewerDTypes = {
    {"max_pool2d", "u8, of which INT8 inference is of the CPU"}};

// In a build without CUDA the own kernels; cuBLASLt's and cuDNN's entries are their stand-ins.
Kernels table() {
#ifdef ATHANOR_CUDA
  return cuda_backend()->kernels();
#else
  return emulated_kernels();
#endif
}

TEST_CASE("every kernel of the table exists on CUDA or is listed with its reason") {
  const Kernels cuda = table();
  for_each_kernel([&]<auto entry>(const char* name) {
    INFO("kernel " << name);
    const bool present = (cuda.*entry).run != nullptr;
    CHECK(present == (kAbsent.count(name) == 0));
    CHECK(present != (cuda.*entry).dtypes.empty());
  });
}

TEST_CASE("the device computes every dtype that the CPU computes, or says why not") {
  const Kernels cuda = table();
  for_each_kernel([&]<auto entry>(const char* name) {
    const DTypeSet here = (reference_kernels().*entry).dtypes, there = (cuda.*entry).dtypes;
    if (!(cuda.*entry).run) return;
    bool fewer = false;
    for (int i = 0; i < kDTypeCount; ++i) {
      const auto dtype = static_cast<DType>(i);
      fewer = fewer || (here.contains(dtype) && !there.contains(dtype));
    }
    INFO("kernel " << name);
    CHECK(fewer == (kFewerDTypes.count(name) > 0));
  });
}

}  // namespace
}  // namespace athanor::test
