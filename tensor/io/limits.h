// What a parser may allocate for bytes that it does not trust.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/base/dims.h"

namespace athanor {

// Every parser of a file format takes a Limits, compares announced sizes with it and with the bytes
// that remain, and only then allocates. Exceeding one is ErrorKind::bad_input.
struct Limits {
  std::uint64_t max_bytes = std::uint64_t{64} << 30;    // of a file, and of what it decompresses to
  std::uint64_t max_header = std::uint64_t{100} << 20;  // of a text header (safetensors' own limit)
  std::uint64_t max_tensors = 1'000'000;                // in one file
  int max_rank = kMaxRank;                              // of one array; kMaxRank bounds it anyway
};

}  // namespace athanor
