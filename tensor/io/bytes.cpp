#include "tensor/io/bytes.h"

namespace athanor {

Tensor tensor_from_bytes(std::span<const std::byte> bytes, const Shape& shape, DType dtype,
                         std::string_view file, std::uint64_t offset, std::string_view field) {
  const auto expected = static_cast<std::uint64_t>(numel_of(shape) * size_of(dtype));
  if (bytes.size() != expected) {
    malformed(file, offset, field, "expected ", expected, " bytes for ", shape, ' ', dtype,
              ", found ", bytes.size());
  }
  if (dtype == DType::boolean) {
    const auto bad = std::find_if(bytes.begin(), bytes.end(),
                                  [](std::byte b) { return std::to_integer<int>(b) > 1; });
    if (bad != bytes.end()) {
      malformed(file, offset + static_cast<std::uint64_t>(bad - bytes.begin()), field,
                "expected 0 or 1 for a bool, found ", std::to_integer<int>(*bad));
    }
  }
  Tensor result = empty(shape, dtype);
  detail::label_new_blocks("read");
  if (!bytes.empty()) std::memcpy(result.raw(), bytes.data(), bytes.size());
  return result;
}

}  // namespace athanor
