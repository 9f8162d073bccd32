#include <cmath>
#include <cstdio>
#include <string>

#include "data/vector_text.h"
#include "tests/fuzz/fuzz.h"

// Fields of a table: what is a vector holds finite numbers, and these, written in any of the three
// ways, are the same vector to the last bit.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using athanor::data::parse_vector;
  using athanor::data::VectorFault;
  return athanor::test::fuzz_one(data, size, [](auto bytes, const athanor::Limits&) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::vector<float> values, again;
    if (parse_vector(text, values) != VectorFault::none) return;
    if (values.empty()) std::abort();
    std::string commas, blanks;
    for (const float value : values) {
      if (!std::isfinite(value)) std::abort();
      char number[32];
      std::snprintf(number, sizeof number, "%.9g", static_cast<double>(value));
      commas += (commas.empty() ? "" : ",") + std::string(number);
      blanks += " " + std::string(number);
    }
    for (const std::string& spelling : {commas, blanks, "[" + commas + "]"}) {
      if (parse_vector(spelling, again) != VectorFault::none || again != values) std::abort();
    }
  });
}
