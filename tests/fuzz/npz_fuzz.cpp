#include "data/npz.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return athanor::test::fuzz_one(data, size, [](auto bytes, const athanor::Limits& limits) {
    athanor::data::parse_npz(bytes, "fuzz", limits);
  });
}
