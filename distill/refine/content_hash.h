// What tells equal content: 128 bits of its bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace athanor::distill {

using ContentHash = std::array<std::uint64_t, 2>;

// XXH3 of `size` bytes.
ContentHash content_hash(const void* bytes, std::size_t size);

// For unordered maps: the hash is one already.
struct FirstWord {
  std::size_t operator()(const ContentHash& hash) const { return hash[0]; }
};

}  // namespace athanor::distill
