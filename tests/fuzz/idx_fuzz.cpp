#include "data/idx.h"

#include "data/gzip.h"
#include "tests/fuzz/fuzz.h"

// IDX, and gzip when the input begins like it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return athanor::test::fuzz_one(data, size, [](auto bytes, const athanor::Limits& limits) {
    if (athanor::data::is_gzip(bytes)) {
      athanor::data::parse_idx(athanor::data::gunzip(bytes, "fuzz", limits), "fuzz", limits);
    } else {
      athanor::data::parse_idx(bytes, "fuzz", limits);
    }
  });
}
