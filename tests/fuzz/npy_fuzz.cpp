#include "tensor/io/npy.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return athanor::test::fuzz_one(data, size, [](auto bytes, const athanor::Limits& limits) {
    athanor::parse_npy(bytes, "fuzz", limits);
  });
}
