// A stable sort of rows of 64-bit keys on the device, for sort and for the ordered sums of
// gather.cu: tiles are sorted in shared memory (bitonic), then runs are merged pairwise, each
// element finding its place by binary search in the other run.
#pragma once

#include <cstdint>

namespace athanor::cuda {

// Keys and where they were in their row; [rows, n] each.
struct SortedKeys {
  std::uint64_t* keys;
  std::uint32_t* positions;
};

// Bytes of scratch memory that sort_keys needs.
std::size_t sort_scratch_bytes(std::int64_t rows, std::int64_t n);

// Sorts each row of `keys` [rows, n] (which it overwrites), n < 2^32; the result lies in `scratch`
// or in `keys` itself.
SortedKeys sort_keys(std::uint64_t* keys, std::int64_t rows, std::int64_t n, void* scratch);

}  // namespace athanor::cuda
