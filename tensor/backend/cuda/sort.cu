// Sorting by row, and the place of a row's extreme.
#include "tensor/backend/cuda/sort.cuh"

#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

constexpr int kTile = 1024;  // elements that a block sorts in shared memory
constexpr unsigned kSortBlock = 256;

struct Keyed {
  std::uint64_t key;
  std::uint32_t position;
};

__device__ inline bool before(const Keyed& a, const Keyed& b) {
  return a.key < b.key || (a.key == b.key && a.position < b.position);
}

// Sorts tiles of `tile` elements (a power of two); those past a row's end count as the largest.
__global__ void sort_tiles(const std::uint64_t* keys, std::int64_t n, int tile,
                           std::int64_t tiles_a_row, std::int64_t tiles, SortedKeys out) {
  std::uint64_t* key = dynamic_shared<std::uint64_t>();
  std::uint32_t* position = reinterpret_cast<std::uint32_t*>(key + tile);
  for (std::int64_t t = blockIdx.x; t < tiles; t += gridDim.x) {
    const std::int64_t row = quotient(t, tiles_a_row), first = (t - row * tiles_a_row) * tile;
    const std::int64_t count = n - first < tile ? n - first : tile;
    for (int i = static_cast<int>(threadIdx.x); i < tile; i += static_cast<int>(blockDim.x)) {
      key[i] = i < count ? keys[row * n + first + i] : ~std::uint64_t{0};
      position[i] = i < count ? static_cast<std::uint32_t>(first + i) : ~std::uint32_t{0};
    }
    __syncthreads();
    for (int size = 2; size <= tile; size *= 2) {
      for (int distance = size / 2; distance > 0; distance /= 2) {
        for (int pair = static_cast<int>(threadIdx.x); pair < tile / 2;
             pair += static_cast<int>(blockDim.x)) {
          const int i = 2 * distance * (pair / distance) + pair % distance, j = i + distance;
          const Keyed a{key[i], position[i]}, b{key[j], position[j]};
          const bool ascending = (i & size) == 0;
          if (before(b, a) == ascending) {
            key[i] = b.key;
            position[i] = b.position;
            key[j] = a.key;
            position[j] = a.position;
          }
        }
        __syncthreads();
      }
    }
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
      out.keys[row * n + first + i] = key[i];
      out.positions[row * n + first + i] = position[i];
    }
    __syncthreads();  // the next tile overwrites the shared memory
  }
}

// Elements of keys [0, n) that stand before `key`: those smaller, and with `equal` those equal.
__device__ inline std::int64_t rank_of(std::uint64_t key, const std::uint64_t* keys, std::int64_t n,
                                       bool equal) {
  std::int64_t low = 0, high = n;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    const bool smaller = equal ? keys[middle] <= key : keys[middle] < key;
    if (smaller) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Merges runs of `width` pairwise: the left run's elements stand before equal ones of the right.
__global__ void merge_runs(SortedKeys in, std::int64_t n, std::int64_t width, std::int64_t total,
                           SortedKeys out) {
  for (std::int64_t i = grid_thread(); i < total; i += grid_threads()) {
    const std::int64_t row = quotient(i, n), at = i - row * n;
    const std::uint64_t* keys = in.keys + row * n;
    const std::int64_t run = at / width, start = run * width, base = run / 2 * 2 * width;
    const bool left = run % 2 == 0;
    const std::int64_t other = left ? start + width : base;
    std::int64_t length = n - other < width ? n - other : width;
    if (length < 0) length = 0;
    const std::int64_t rank = rank_of(keys[at], keys + other, length, !left);
    const std::int64_t to = row * n + base + (at - start) + rank;
    out.keys[to] = keys[at];
    out.positions[to] = in.positions[i];
  }
}

}  // namespace

std::size_t sort_scratch_bytes(std::int64_t rows, std::int64_t n) {
  const auto count = static_cast<std::size_t>(rows * n);
  const std::size_t key_buffers = n > kTile ? 1 : 0;
  return count * (8 * (1 + key_buffers) + 4 * (1 + key_buffers));
}

SortedKeys sort_keys(std::uint64_t* keys, std::int64_t rows, std::int64_t n, void* scratch) {
  if (n >= std::int64_t{1} << 32) fail("sort", "expected rows of less than 2^32 elements, got ", n);
  const std::int64_t count = rows * n;
  SortedKeys in{static_cast<std::uint64_t*>(scratch), nullptr};
  SortedKeys out{in.keys + count, nullptr};
  if (n <= kTile) out.keys = in.keys;
  in.positions = reinterpret_cast<std::uint32_t*>(out.keys + count);
  out.positions = in.positions + count;
  if (count == 0) return in;
  int tile = 2;
  while (tile < kTile && tile < n) tile *= 2;
  const unsigned block = static_cast<unsigned>(tile / 2) < kSortBlock
                             ? static_cast<unsigned>(tile < 64 ? kWarp : tile / 2)
                             : kSortBlock;
  const std::int64_t tiles_a_row = (n + tile - 1) / tile, tiles = rows * tiles_a_row;
  launch_kernel(sort_tiles, grid_for(tiles, 1), Dim3{block}, static_cast<std::size_t>(tile) * 12,
                current_stream(), keys, n, tile, tiles_a_row, tiles, in);
  for (std::int64_t width = tile; width < n; width *= 2) {
    launch_kernel(merge_runs, grid_for(count), Dim3{kBlock}, 0, current_stream(), in, n, width,
                  count, out);
    const SortedKeys merged = out;
    out = in;
    in = merged;
  }
  return in;
}

namespace {

// An unsigned key in the order of T: negative numbers first, -0 and 0 equal, NaN last in both
// directions.
template <class T>
__device__ inline std::uint64_t key_of(T value, bool descending) {
  using C = compute_t<T>;
  const C v = wide(value);
  std::uint64_t key;
  if constexpr (std::is_same_v<C, float>) {
    if (v != v) return ~std::uint64_t{0};
    const std::uint32_t bits = v == 0.0f ? 0u : __float_as_uint(v);
    const std::uint32_t ordered = bits >> 31 ? ~bits : bits | 0x80000000u;
    key = descending ? static_cast<std::uint32_t>(~ordered) : ordered;
  } else if constexpr (std::is_same_v<C, double>) {
    if (v != v) return ~std::uint64_t{0};
    const auto bits =
        v == 0.0 ? std::uint64_t{0} : static_cast<std::uint64_t>(__double_as_longlong(v));
    key = bits >> 63 ? ~bits : bits | std::uint64_t{1} << 63;
    if (descending) key = ~key;
  } else {
    key = static_cast<std::uint64_t>(static_cast<std::int64_t>(v)) ^ std::uint64_t{1} << 63;
    if (descending) key = ~key;
  }
  return key;
}

template <class T>
__global__ void make_keys(DeviceRows<3> rows, std::int64_t n, bool descending, const T* x,
                          std::int64_t xs, std::uint64_t* keys) {
  for (std::int64_t i = grid_thread(); i < rows.count * n; i += grid_threads()) {
    const std::int64_t row = quotient(i, n);
    std::int64_t at[3];
    rows.offsets(row, at);
    keys[i] = key_of(x[at[0] + (i - row * n) * xs], descending);
  }
}

template <class T>
__global__ void take_sorted(DeviceRows<3> rows, std::int64_t n, const std::uint32_t* positions,
                            const T* x, std::int64_t xs, T* y, std::int64_t ys, std::int64_t* index,
                            std::int64_t is) {
  for (std::int64_t i = grid_thread(); i < rows.count * n; i += grid_threads()) {
    const std::int64_t row = quotient(i, n), to = i - row * n, from = positions[i];
    std::int64_t at[3];
    rows.offsets(row, at);
    y[at[1] + to * ys] = x[at[0] + from * xs];
    index[at[2] + to * is] = from;
  }
}

// A value and where it stands. NaN beats every number, the first of equals the later ones.
template <class C>
struct Candidate {
  C value;
  std::int64_t at;  // -1: no value yet
};
template <class C>
__device__ inline Candidate<C> shuffle_xor(Candidate<C> candidate, int bits) {
  return {cuda::shuffle_xor(candidate.value, bits), cuda::shuffle_xor(candidate.at, bits)};
}
template <class C, bool kLargest>
struct Better {
  static __device__ Candidate<C> identity() { return {C(0), -1}; }
  static __device__ bool beats(Candidate<C> a, Candidate<C> b) {
    if (a.at < 0 || b.at < 0) return b.at < 0;
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a_nan || b_nan) return a_nan && (!b_nan || a.at < b.at);
    if (a.value == b.value) return a.at < b.at;
    return kLargest ? a.value > b.value : a.value < b.value;
  }
  static __device__ Candidate<C> join(Candidate<C> a, Candidate<C> b) {
    return beats(a, b) ? a : b;
  }
};

template <class T, bool kLargest>
__global__ void __launch_bounds__(kMostGroup)
    extreme_rows(int threads, DeviceRows<2> rows, std::int64_t n, const T* x, std::int64_t xs,
                 std::int64_t* y) {
  using C = compute_t<T>;
  using Join = Better<C, kLargest>;
  const Group group(threads);
  for_each_row(group, rows, [&](std::int64_t, bool present, const std::int64_t(&at)[2]) {
    Candidate<C> best = Join::identity();
    for_row(
        group, present ? n : 0,
        [&](std::int64_t i, T v) {
          best = Join::join(best, Candidate<C>{wide(v), i});
        },
        RowOf<const T>{x + at[0], xs});
    best = group.all<Join>(best);
    if (present && group.rank() == 0) y[at[1]] = best.at;
  });
}

}  // namespace

void sort(const SortArgs& args) {
  const DeviceRows<3> rows = device_rows<3>({&args.x, &args.y, &args.index});
  const std::int64_t n = row_size(args.x), count = rows.count * n;
  if (count == 0) return;
  const Workspace workspace(static_cast<std::size_t>(count) * 8 +
                            sort_scratch_bytes(rows.count, n));
  std::uint64_t* keys = workspace.as<std::uint64_t>();
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    launch_kernel(make_keys<T>, grid_for(count), Dim3{kBlock}, 0, current_stream(), rows, n,
                  args.descending, args.x.as<const T>(), row_stride(args.x), keys);
    const SortedKeys sorted = sort_keys(keys, rows.count, n, keys + count);
    launch_kernel(take_sorted<T>, grid_for(count), Dim3{kBlock}, 0, current_stream(), rows, n,
                  static_cast<const std::uint32_t*>(sorted.positions), args.x.as<const T>(),
                  row_stride(args.x), args.y.as<T>(), row_stride(args.y),
                  args.index.as<std::int64_t>(), row_stride(args.index));
  });
}

void arg_reduce(const ArgReduceArgs& args) {
  const DeviceRows<2> rows = device_rows<2>({&args.x, &args.y});
  if (rows.count == 0) return;
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    const auto kernel = args.largest ? extreme_rows<T, true> : extreme_rows<T, false>;
    launch_rows(plan_groups(args.x, rows.count), kernel, rows, row_size(args.x),
                args.x.as<const T>(), row_stride(args.x), args.y.as<std::int64_t>());
  });
}

}  // namespace athanor::cuda
